import type { Clock, Ids, Json } from '#kernel'
import { REDRIVES } from '#contracts'
import { requestRedrive, type LogDriver } from '#messaging'
import { APP_LOG, idempotencyKeyReused, notFound, RecordedAnswer, unavailable, type CommandRequest } from '#platform'
import { Inject, Injectable } from '@nestjs/common'
import type { Logger } from 'pino'
import { DataSource, type EntityManager } from 'typeorm'
import { CLOCK, IDS, LOG_DRIVER } from '../tokens.js'
import { KEEP_ACT } from './audit.js'
import { conditionOf, DeadLetters } from './dead-letters.js'
import type { LetterFilterDto } from './ops.dto.js'

/** Letters of one request; the answer says how many are left for the next. */
export const MOST_LETTERS = 1_000
const KEY_LIFE_HOURS = 24

/**
 * Asks the groups that parked them to take letters up again. A letter that is asked for twice is taken up once: the group decides, in the
 * transaction that puts it back. Every request is kept, with who and why.
 */
@Injectable()
export class Redrives {
  constructor(
    @Inject(DataSource) private readonly source: DataSource,
    @Inject(DeadLetters) private readonly letters: DeadLetters,
    @Inject(LOG_DRIVER) private readonly driver: LogDriver,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(IDS) private readonly ids: Ids,
    @Inject(APP_LOG) private readonly log: Logger,
  ) {}

  one(id: string, reason: string | undefined, request: CommandRequest): Promise<RecordedAnswer> {
    return this.#once(request, async (manager, redriveId) => {
      const letter = await this.letters.find(id)
      if (!letter) throw notFound('dead letter')
      const ids = letter.status === 'PARKED' ? [id] : []
      await this.#ask(manager, ids, { redriveId, reason, filter: { id }, request })
      return { redriveId, requested: ids.length, remaining: 0 }
    })
  }

  /** Those that are parked, and not asked for since, the oldest first. */
  byFilter(filter: LetterFilterDto, reason: string | undefined, request: CommandRequest): Promise<RecordedAnswer> {
    return this.#once(request, async (manager, redriveId) => {
      const { text, values } = conditionOf(filter)
      const waiting = `FROM dead_letters WHERE ${text} AND status = 'PARKED' AND asked_revision IS DISTINCT FROM revision`
      const rows: { readonly id: string }[] = await manager.query(`SELECT id ${waiting} ORDER BY parked_at, id LIMIT ${MOST_LETTERS}`, [
        ...values,
      ])
      const ids = rows.map(({ id }) => id)
      await this.#ask(manager, ids, { redriveId, reason, filter: { ...filter }, request })
      const [left]: { readonly count: number }[] = await manager.query(`SELECT count(*)::int AS count ${waiting}`, [...values])
      return { redriveId, requested: ids.length, remaining: left?.count ?? 0 }
    })
  }

  /** The same key and body: the first answer. Two of them at once run one after the other. */
  #once(request: CommandRequest, work: (manager: EntityManager, redriveId: string) => Promise<Json>): Promise<RecordedAnswer> {
    const { commandId, fingerprint } = request
    return this.source.transaction(async (manager) => {
      await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 724211010))', [commandId])
      const [first]: { readonly fingerprint: string; readonly answer: string }[] = await manager.query(
        `SELECT fingerprint, answer FROM redrives WHERE command_id = $1 AND at > $2::timestamptz - interval '${KEY_LIFE_HOURS} hours' LIMIT 1`,
        [commandId, new Date(this.clock.now())],
      )
      if (first && first.fingerprint !== fingerprint) throw idempotencyKeyReused()
      if (first) return new RecordedAnswer(200, JSON_HEADERS, JSON.parse(first.answer) as Json, true)
      const redriveId = this.ids.next()
      const answer = await work(manager, redriveId)
      await manager.query('UPDATE redrives SET answer = $2 WHERE redrive_id = $1', [redriveId, JSON.stringify(answer)])
      return new RecordedAnswer(200, JSON_HEADERS, answer, false)
    })
  }

  /** Recorded before it is sent; a commit that fails after that leaves letters asked for and no record here, but `by` travels with each. */
  async #ask(
    manager: EntityManager,
    ids: readonly string[],
    { redriveId, reason, filter, request }: { redriveId: string; reason: string | undefined; filter: Json; request: CommandRequest },
  ): Promise<void> {
    const { commandId, fingerprint, caller, act } = request
    const at_ms = this.clock.now()
    await manager.query(
      `INSERT INTO redrives (redrive_id, command_id, fingerprint, by, reason, at, filter, letters, answer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')`,
      [redriveId, commandId, fingerprint, caller.sub, reason ?? null, new Date(at_ms), JSON.stringify(filter), ids],
    )
    if (act) {
      const { action, path, roles } = act
      const { correlationId } = request.context
      const by = [caller.sub, roles, action, path, 200, null, reason ?? null]
      await manager.query(KEEP_ACT, [`order-query/${redriveId}`, 'order-query', ...by, correlationId, commandId, new Date(at_ms)])
    }
    if (ids.length === 0) return
    await this.#stayInLog(manager)
    await manager.query('UPDATE dead_letters SET asked_revision = revision WHERE id = ANY ($1)', [ids])
    await requestRedrive(this.driver, { ids, by: caller.sub, at_ms })
    this.log.info({ redriveId, by: caller.sub, letters: ids.length }, 'dead letters are sent back')
  }

  /** While the system is moved to another log, those who are asked may have read this one to its end: till this is committed it is not left. */
  async #stayInLog(manager: EntityManager): Promise<void> {
    const places: readonly { readonly left: boolean }[] = await manager.query(
      `SELECT leaving OR coalesce(log <> $3, false) AS left FROM consumer_offset WHERE "group" = $1 AND topic = $2 FOR SHARE`,
      ['order-query', REDRIVES, this.driver.name],
    )
    if (places.some(({ left }) => left)) throw unavailable(new Error('the group is leaving this log'))
  }
}

const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8' }
