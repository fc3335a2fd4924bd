import { Cursor, pageOf, type Page } from '#platform'
import type { Json } from '#kernel'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { isTimePlace } from '../read-models/keyset.js'
import type { DeadLetterDto, DeadLetterEntryDto, DeadLettersQuery, LetterFilterDto } from './ops.dto.js'

interface LetterRow {
  readonly id: string
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly message_id: string
  readonly type: string
  readonly source: string
  readonly error_class: string
  readonly error: string
  readonly stack_hash: string
  readonly attempts: number
  readonly parked_at: Date
  readonly correlation_id: string
  readonly traceparent: string | null
  readonly status: DeadLetterDto['status']
}

/** Column by field of a filter; all compare for equality but the times. */
const COLUMNS = { topic: 'topic', group: '"group"', type: 'type', key: 'key', errorClass: 'error_class', stackHash: 'stack_hash' } as const

/** A `WHERE` and its values. */
export const conditionOf = (filter: LetterFilterDto): { readonly text: string; readonly values: readonly unknown[] } => {
  const values: unknown[] = []
  const terms = Object.entries(COLUMNS).flatMap(([field, column]) => {
    const value = filter[field as keyof typeof COLUMNS]
    return value === undefined ? [] : [`${column} = $${values.push(value)}`]
  })
  // PostgreSQL takes no offset from UTC beyond 16 hours, RFC 3339 any below 24.
  if (filter.from !== undefined) terms.push(`parked_at >= $${values.push(new Date(filter.from))}`)
  if (filter.to !== undefined) terms.push(`parked_at < $${values.push(new Date(filter.to))}`)
  return { text: terms.length === 0 ? 'true' : terms.join(' AND '), values }
}

/** What the groups parked, as they told. */
@Injectable()
export class DeadLetters {
  constructor(@Inject(DataSource) private readonly source: DataSource) {}

  /** The newest first. */
  async list({ status, limit, cursor, ...filter }: DeadLettersQuery): Promise<Page<DeadLetterDto>> {
    const after = cursor === undefined ? undefined : Cursor.parse(cursor, isTimePlace)
    const { text, values } = conditionOf(filter)
    const bound: unknown[] = [...values, status ?? 'PARKED']
    const page = after ? `AND (parked_at, id) < ($${bound.push(after[0])}, $${bound.push(after[1])})` : ''
    const rows: LetterRow[] = await this.source.query(
      `SELECT * FROM dead_letters WHERE ${text} AND status = $${values.length + 1} ${page} ORDER BY parked_at DESC, id DESC LIMIT $${bound.push(limit + 1)}`,
      bound,
    )
    return pageOf(rows, limit, letterView, ({ parked_at, id }): Json => [parked_at.toISOString(), id])
  }

  async find(id: string): Promise<DeadLetterEntryDto | undefined> {
    const [row]: LetterRow[] = await this.source.query('SELECT * FROM dead_letters WHERE id = $1', [id])
    if (!row) return undefined
    const history: HistoryRow[] = await this.source.query(
      `SELECT at, type, by, NULL AS reason, error_class, attempts FROM dead_letter_history WHERE id = $1
        UNION ALL SELECT at, 'REDRIVE_REQUESTED', by, reason, NULL, NULL FROM redrives WHERE letters @> ARRAY[$1]
        ORDER BY at, type DESC LIMIT 200`,
      [id],
    )
    return { ...letterView(row), history: history.map(historyView) }
  }
}

interface HistoryRow {
  readonly at: Date
  readonly type: string
  readonly by: string | null
  readonly reason: string | null
  readonly error_class: string | null
  readonly attempts: number | null
}

const historyView = ({ at, type, by, reason, error_class, attempts }: HistoryRow) => ({
  at: at.toISOString(),
  type,
  ...(by && { by }),
  ...(reason && { reason }),
  ...(error_class && { errorClass: error_class }),
  ...(attempts !== null && { attempts }),
})

const letterView = (row: LetterRow): DeadLetterDto => ({
  id: row.id,
  group: row.group,
  topic: row.topic,
  partition: row.partition,
  offset: String(row.offset),
  key: row.key,
  messageId: row.message_id,
  type: row.type,
  source: row.source,
  status: row.status,
  errorClass: row.error_class,
  error: row.error,
  stackHash: row.stack_hash,
  attempts: row.attempts,
  parkedAt: row.parked_at.toISOString(),
  correlationId: row.correlation_id,
  ...(row.traceparent !== null && { traceparent: row.traceparent }),
})
