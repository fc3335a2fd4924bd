import type { Clock, JsonObject, Outbox, OutboxEntry } from '#kernel'
import { listen, type PostgresConfig } from '#postgres'
import type pg from 'pg'
import { archivesAfter, eventsWith } from '../archive/archives.js'
import { mergeEntries, parseContext, type StoredMessage } from './publish.js'
import { EVENT_COLUMNS, toRecorded, type EventRow } from '../reading/recorded.js'
import { parseObject } from '../reading/rows.js'
import type { Publisher } from '../store.js'
import type { StreamTypes } from '../stream.js'

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

/** What a row of a page is, by its ordinal; from 0 on it is a message. */
const EVENT = -1
const LISTED_ARCHIVE = -2
const SWEPT = -3

/**
 * Events and messages in one statement, so in one snapshot: in two, a commit between them could be passed over. An event that was moved keeps its
 * position: where the relay has passed it, it is not seen again. A relay that was set back is told here what `events` and `outbox` do not have any
 * more: each archive that may hold what comes after `$1`, and up to where messages were swept. What is read for a log ends where the store is
 * held: see `holdRelay`.
 */
export const outboxPage = (archives: readonly string[]): string => `
WITH allowed AS MATERIALIZED (
  SELECT CASE WHEN $3::text IS NULL THEN 9223372036854775807 WHEN log = $3 THEN coalesce(held_at, 9223372036854775807) ELSE 0 END AS upto FROM relay
)
SELECT ${EVENT_COLUMNS}, NULL AS topic, NULL AS key, NULL AS message_id, NULL::bytea AS context, ${EVENT} AS ordinal
FROM (
  SELECT * FROM ${eventsWith(archives)} x WHERE position > $1 AND position <= (SELECT upto FROM allowed) AND kept_at > $1 ORDER BY position LIMIT $2
) e
UNION ALL
SELECT position, NULL, NULL, type, schema_version, payload, NULL, NULL, recorded_at, topic, key, message_id, context, ordinal
FROM outbox
WHERE position > $1 AND position <= (SELECT upto FROM allowed) AND position <= coalesce(
  (SELECT position FROM outbox WHERE position > $1 AND ordinal = 0 ORDER BY position OFFSET $2 - 1 LIMIT 1), 9223372036854775807)
UNION ALL
SELECT upto, name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ${LISTED_ARCHIVE}
FROM partitions WHERE archived_at IS NOT NULL AND upto > $1
UNION ALL
SELECT swept, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ${SWEPT} FROM relay WHERE swept > $1
ORDER BY position, ordinal`

/** The relay was set back before messages that no event carries and that are not kept once they were sent. To pass over them in silence would lose them. */
export class MessagesSwept extends Error {
  constructor(position: bigint, swept: bigint) {
    super(
      `messages after position ${position}, up to ${swept}, were sent and are not kept: set the relay to ${swept} or later, ` +
        `or give them up and send again what events carry: UPDATE relay SET swept = ${position}`,
    )
  }
}

const LEASE = `
UPDATE relay
SET epoch = CASE WHEN owner IS NOT DISTINCT FROM $1 THEN epoch ELSE epoch + 1 END, owner = $1, log = $3,
  lease_until = clock_timestamp() + $2 * interval '1 millisecond'
WHERE (owner IS NOT DISTINCT FROM $1 OR lease_until < clock_timestamp()) AND (log IS NULL OR log = $3)
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

type PageRow = EventRow & MessageRow & { readonly ordinal: number }

/** Again, with its archives, where a page says that it needs them: only where the relay was set back. */
const pageOf = async (pool: pg.Pool, position: bigint, limit: number, to: string | undefined): Promise<readonly PageRow[]> => {
  let archives: readonly string[] = []
  for (;;) {
    const name = archives.length === 0 ? { name: 'outbox_after' } : {}
    const { rows } = await pool.query<PageRow>({ ...name, text: outboxPage(archives), values: [position, limit, to ?? null] })
    const swept = rows.find(({ ordinal }) => ordinal === SWEPT)
    if (swept) throw new MessagesSwept(position, swept.position)
    const known = archives
    if (rows.every(({ ordinal, stream_id }) => ordinal !== LISTED_ARCHIVE || known.includes(stream_id))) return eachOnce(rows)
    archives = await archivesAfter(pool, position)
  }
}

/** An event is twice in a page while its partition is on the way to being an archive. */
const eachOnce = (rows: readonly PageRow[]): readonly PageRow[] => {
  let last = 0n
  return rows.filter(({ ordinal, position }) => {
    if (ordinal !== EVENT) return true
    const isNew = position !== last
    last = position
    return isNew
  })
}

/** The outbox, and the bell that the store rings after each commit. */
export const pgOutbox = ({ pool, postgres, incarnation, types, publish, clock }: PgOutboxOptions): Outbox & { ring(): void } => {
  const channel = `${postgres.schema}_outbox`.slice(0, 63)
  const bell = new Bell(pool, channel, clock)
  return {
    incarnation,
    ring: () => bell.ring(),

    async after(position, limit, to): Promise<readonly OutboxEntry[]> {
      const rows = await pageOf(pool, position, limit, to)
      const events = rows.filter(({ ordinal }) => ordinal === EVENT).map((row) => toRecorded(types, row))
      return mergeEntries(events, rows.filter(({ ordinal }) => ordinal >= 0).map(toMessage), publish, limit)
    },

    async lease(owner, ttl_ms, to) {
      const asked = clock.now()
      const { rows } = await pool.query<{ epoch: bigint; position: bigint }>({
        name: 'relay_lease',
        text: LEASE,
        values: [owner, ttl_ms, to],
      })
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
