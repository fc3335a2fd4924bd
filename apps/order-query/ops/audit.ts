import type { Json } from '#kernel'
import { Cursor, pageOf, type Page } from '#platform'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { isTimePlace } from '../read-models/keyset.js'
import type { ActDto, AuditQuery } from './audit.dto.js'

/** id, app, actor, roles, action, path, status, refused, reason, correlation, command, at. */
export const KEEP_ACT = `
INSERT INTO audit (id, app, actor, roles, action, path, status, refused, reason, correlation_id, command_id, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`

interface ActRow {
  readonly id: string
  readonly app: string
  readonly actor: string
  readonly roles: readonly string[]
  readonly action: string
  readonly path: string
  readonly status: number
  readonly refused: string | null
  readonly reason: string | null
  readonly correlation_id: string
  readonly command_id: string
  readonly at: Date
}

const EQUAL = { actor: 'actor', app: 'app', action: 'action', path: 'path' } as const

/** Who did what by a role that customers do not have, in all apps. */
@Injectable()
export class AuditTrail {
  constructor(@Inject(DataSource) private readonly source: Pick<DataSource, 'query'>) {}

  /** The newest first. */
  async list({ limit, cursor, from, to, ...equal }: AuditQuery): Promise<Page<ActDto>> {
    const values: unknown[] = []
    const terms = Object.entries(EQUAL).flatMap(([field, column]) => {
      const value = equal[field as keyof typeof EQUAL]
      return value === undefined ? [] : [`${column} = $${values.push(value)}`]
    })
    if (from !== undefined) terms.push(`at >= $${values.push(new Date(from))}`)
    if (to !== undefined) terms.push(`at < $${values.push(new Date(to))}`)
    if (cursor !== undefined) {
      const [at, id] = Cursor.parse(cursor, isTimePlace)
      terms.push(`(at, id) < ($${values.push(at)}, $${values.push(id)})`)
    }
    const where = terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`
    const rows = await this.source.query<ActRow[]>(
      `SELECT * FROM audit ${where} ORDER BY at DESC, id DESC LIMIT $${values.push(limit + 1)}`,
      values,
    )
    return pageOf(rows, limit, actView, ({ at, id }): Json => [at.toISOString(), id])
  }
}

const actView = (row: ActRow): ActDto => ({
  at: row.at.toISOString(),
  app: row.app,
  actor: row.actor,
  roles: row.roles,
  action: row.action,
  path: row.path,
  status: row.status,
  ...(row.refused !== null && { refused: row.refused }),
  ...(row.reason !== null && { reason: row.reason }),
  correlationId: row.correlation_id,
  commandId: row.command_id,
})
