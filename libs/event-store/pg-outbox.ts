import type { JsonObject, Outbox, OutboxEntry } from '#kernel'
import { listen, type PostgresConfig } from '#postgres'
import type pg from 'pg'
import { mergeEntries, parseContext, type StoredMessage } from './publish.js'
import { EVENT_COLUMNS, toRecorded, type EventRow } from './recorded.js'
import { parseObject } from './rows.js'
import type { Publisher } from './store.js'

interface MessageRow extends pg.QueryResultRow {
  readonly position: bigint
  readonly recorded_at: bigint
  readonly topic: string
  readonly key: string
  readonly type: string
  readonly schema_version: number
  readonly message_id: string | null
  readonly payload: Buffer
  readonly context: Buffer
}

/** Events and messages in one statement, so in one snapshot: in two, a commit between them could be passed over. */
const AFTER = `
SELECT ${EVENT_COLUMNS}, NULL AS topic, NULL AS key, NULL AS message_id, NULL::bytea AS context, -1 AS ordinal
FROM (SELECT * FROM events WHERE position > $1 ORDER BY position LIMIT $2) e
UNION ALL
SELECT position, NULL, NULL, type, schema_version, payload, NULL, NULL, recorded_at, topic, key, message_id, context, ordinal
FROM outbox
WHERE position > $1 AND position <= coalesce(
  (SELECT position FROM outbox WHERE position > $1 AND ordinal = 0 ORDER BY position OFFSET $2 - 1 LIMIT 1), 9223372036854775807)
ORDER BY position, ordinal`

const LEASE = `
UPDATE relay
SET epoch = CASE WHEN owner IS NOT DISTINCT FROM $1 THEN epoch ELSE epoch + 1 END, owner = $1,
  lease_until = clock_timestamp() + $2 * interval '1 millisecond'
WHERE owner IS NOT DISTINCT FROM $1 OR lease_until < clock_timestamp()
RETURNING epoch, position`

export interface PgOutboxOptions {
  readonly pool: pg.Pool
  readonly postgres: PostgresConfig
  readonly incarnation: string
  readonly publish: Publisher
}

export const pgOutbox = ({ pool, postgres, incarnation, publish }: PgOutboxOptions): Outbox => ({
  incarnation,

  async after(position, limit): Promise<readonly OutboxEntry[]> {
    const { rows } = await pool.query<EventRow & MessageRow & { ordinal: number }>({
      name: 'outbox_after',
      text: AFTER,
      values: [position, limit],
    })
    const events = rows.filter(({ ordinal }) => ordinal < 0).map(toRecorded)
    return mergeEntries(events, rows.filter(({ ordinal }) => ordinal >= 0).map(toMessage), publish, limit)
  },

  async lease(owner, ttl_ms) {
    const { rows } = await pool.query<{ epoch: bigint; position: bigint }>({ name: 'relay_lease', text: LEASE, values: [owner, ttl_ms] })
    return rows[0]
  },

  async advance(epoch, position) {
    const { rowCount } = await pool.query({
      name: 'relay_advance',
      text: 'UPDATE relay SET position = greatest(position, $2) WHERE epoch = $1 AND owner IS NOT NULL',
      values: [epoch, position],
    })
    return rowCount === 1
  },

  async release(epoch) {
    await pool.query({
      name: 'relay_release',
      text: `UPDATE relay SET owner = NULL, lease_until = '-infinity' WHERE epoch = $1`,
      values: [epoch],
    })
  },

  onDoorbell: (ring) => listen(postgres, `${postgres.schema}_outbox`.slice(0, 63), ring),
})

const toMessage = (row: MessageRow): StoredMessage => ({
  position: row.position,
  time: Number(row.recorded_at),
  message: {
    topic: row.topic,
    key: row.key,
    type: row.type,
    schemaVersion: row.schema_version,
    data: parseObject(row.payload) satisfies JsonObject,
    ...(row.message_id === null ? {} : { id: row.message_id }),
    context: parseContext(parseObject(row.context)),
  },
})
