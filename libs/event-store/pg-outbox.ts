import type { Clock, JsonObject, Outbox, OutboxEntry } from '#kernel'
import { listen, type PostgresConfig } from '#postgres'
import type pg from 'pg'
import { mergeEntries, parseContext, type StoredMessage } from './publish.js'
import { EVENT_COLUMNS, toRecorded, type EventRow } from './recorded.js'
import { parseObject } from './rows.js'
import { KEPT_AT } from './sql/partitions.js'
import type { Publisher } from './store.js'
import type { StreamTypes } from './stream.js'

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

/**
 * Events and messages in one statement, so in one snapshot: in two, a commit between them could be passed over. An event that was moved keeps its
 * position: where the relay has passed it, it is not seen again.
 */
export const AFTER = `
SELECT ${EVENT_COLUMNS}, NULL AS topic, NULL AS key, NULL AS message_id, NULL::bytea AS context, -1 AS ordinal
FROM (SELECT * FROM events WHERE position > $1 AND ${KEPT_AT} > $1 ORDER BY position LIMIT $2) e
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

/** After a crash the relay sends again what this forgot, and consumers drop it: no commit waits for the disk on its account. */
const ADVANCE = `
UPDATE relay SET position = greatest(position, $2)
FROM (SELECT set_config('synchronous_commit', 'off', true) AS quick) AS setting
WHERE epoch = $1 AND owner IS NOT NULL AND quick IS NOT NULL`

const BETWEEN_RINGS_MS = 5

export interface PgOutboxOptions {
  readonly pool: pg.Pool
  readonly postgres: PostgresConfig
  readonly incarnation: string
  readonly types: StreamTypes
  readonly publish: Publisher
  readonly clock: Pick<Clock, 'now' | 'sleep'>
}

/** The outbox, and the bell that the store rings after each commit. */
export const pgOutbox = ({ pool, postgres, incarnation, types, publish, clock }: PgOutboxOptions): Outbox & { ring(): void } => {
  const channel = `${postgres.schema}_outbox`.slice(0, 63)
  const bell = new Bell(pool, channel, clock)
  return {
    incarnation,
    ring: () => bell.ring(),

    async after(position, limit): Promise<readonly OutboxEntry[]> {
      const { rows } = await pool.query<EventRow & MessageRow & { ordinal: number }>({
        name: 'outbox_after',
        text: AFTER,
        values: [position, limit],
      })
      const events = rows.filter(({ ordinal }) => ordinal < 0).map((row) => toRecorded(types, row))
      return mergeEntries(events, rows.filter(({ ordinal }) => ordinal >= 0).map(toMessage), publish, limit)
    },

    async lease(owner, ttl_ms) {
      const asked = clock.now()
      const { rows } = await pool.query<{ epoch: bigint; position: bigint }>({ name: 'relay_lease', text: LEASE, values: [owner, ttl_ms] })
      bell.relayIsHere(rows[0] ? asked + ttl_ms : 0)
      return rows[0]
    },

    async advance(epoch, position) {
      const { rowCount } = await pool.query({
        name: 'relay_advance',
        text: ADVANCE,
        values: [epoch, position],
      })
      return rowCount === 1
    },

    async release(epoch) {
      bell.relayIsHere(0)
      await pool.query({
        name: 'relay_release',
        text: `UPDATE relay SET owner = NULL, lease_until = '-infinity' WHERE epoch = $1`,
        values: [epoch],
      })
    },

    async onDoorbell(ring) {
      bell.rung.add(ring)
      const listening = await listen(postgres, channel, ring)
      return {
        async close() {
          bell.rung.delete(ring)
          await listening.close()
        },
      }
    },
  }
}

/** There is nothing in it to be durable, so it takes no flush of the log from the appends. */
const RING = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')`

/**
 * Rung after a commit, and not by it: NOTIFY holds a lock over the whole instance until its transaction has ended, so that commits which
 * notify reach the disk one after another, those of other databases' apps too. Nobody else need hear of it while this process has the relay.
 */
class Bell {
  readonly rung = new Set<() => void>()
  #hereUntil_ms = 0
  #notifying = false
  #again = false

  constructor(
    private readonly pool: pg.Pool,
    private readonly channel: string,
    private readonly clock: Pick<Clock, 'now' | 'sleep'>,
  ) {}

  relayIsHere(until_ms: number): void {
    this.#hereUntil_ms = until_ms
  }

  ring(): void {
    for (const ring of this.rung) ring()
    if (this.clock.now() < this.#hereUntil_ms) return
    this.#again = true
    if (!this.#notifying) void this.#notify()
  }

  async #notify(): Promise<void> {
    this.#notifying = true
    while (this.#again) {
      this.#again = false
      // One that is missed is made up for by the relay's slow poll.
      await this.pool.query({ name: 'outbox_ring', text: RING, values: [this.channel] }).catch(() => undefined)
      // What rings meanwhile rings once.
      await this.clock.sleep(BETWEEN_RINGS_MS)
    }
    this.#notifying = false
  }
}

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
