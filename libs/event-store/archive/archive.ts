import type { Clock } from '#kernel'
import type pg from 'pg'
import { quoted } from './archives.js'
import { byteaArray, int8Array, textArray } from '../reading/binary-array.js'
import { emptyEntry, evolve } from '../append/decide.js'
import { ArchiveRefused, detach, patiently, type Waiting } from './detach-partition.js'
import { EVENT_COLUMNS, type EventRow } from '../reading/recorded.js'
import { parseObject } from '../reading/rows.js'
import { KEPT_AT } from '../sql/partitions.js'
import { typeOfStream, upcastData, type AnyStreamType, type StreamTypes } from '../stream.js'

/** Rows of one trip: each is a transaction of its own, and none holds anything for longer than that. */
const PAGE = 2_000

export interface ArchiveOptions {
  /** How long nothing may have been appended to a partition before what is closed in it is archived. */
  readonly idle_ms: number
  /** Look, and change nothing. */
  readonly dryRun?: boolean
  /** Told of each stream that cannot be read: of an event that this version does not know, or that was damaged. It counts as living. */
  readonly onUnreadable?: (stream: string, error: unknown) => void
  /** Stops between two pages; what was done stays done, and the next run goes on from there. */
  readonly signal?: AbortSignal
}

/** What became of a partition, or in a dry run would. */
export interface Archived {
  readonly partition: string
  /** Streams that are closed and whole in it: they stay in it, and it is an archive now. None: it is empty, and gone. */
  readonly streams: number
  /** Events of other streams that were moved forward out of it. */
  readonly moved: number
  /** Streams that could not be read, and so were moved with the living. */
  readonly unreadable: number
}

interface Partition {
  readonly name: string
  readonly since: bigint
  readonly upto: bigint
  /** Past it: where the store was when this was found, so that the partition it lies in is known by now. */
  readonly ahead: bigint
}

/** A partition is large, and nobody waits. */
export const ARCHIVE_STATEMENT_MS = 300_000

/**
 * Archives what has grown old: each partition that is full, that the relay has passed and whose newest event is older than `idle_ms`, the oldest first.
 * Streams that are closed and whole in it are marked as archived in it; every other event in it moves forward, beside its stream's newest event; then
 * it is detached, without holding up anyone, and is a table of its own. Killed at any point it leaves a store that is right, and the next run goes on.
 * `pool` is to give a statement `ARCHIVE_STATEMENT_MS`. What is cut short the next run takes up.
 */
export const archive = async function* (
  pool: pg.Pool,
  types: StreamTypes,
  clock: Pick<Clock, 'now' | 'sleep'>,
  options: ArchiveOptions,
): AsyncGenerator<Archived> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query<{ alone: boolean }>(`SELECT pg_try_advisory_lock(724211004, ${STORE}) AS alone`)
    if (rows[0]?.alone !== true) throw new ArchiveRefused('another process archives in this store')
    for (const partition of await due(client, Math.floor(clock.now() - options.idle_ms))) {
      if (options.signal?.aborted) return
      const done = await new PartitionArchive(client, types, clock, partition, options).run()
      if (done) yield done
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock_all()').catch(() => undefined)
    // Ends the session, and its locks with it: what it was doing may not be over.
    client.release(true)
  }
}

const STORE = `'store'::regclass::oid::bigint::bit(32)::integer`

/** Where a partition is archived already but still attached, an earlier run did not come to its end. */
const DUE = `
SELECT p.name, p.since, p.upto, s.position AS ahead FROM partitions p, store s, relay r
WHERE p.upto <= s.position AND p.upto <= r.position AND (p.archived_at IS NULL OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(quote_ident(p.name))))
ORDER BY p.since`

const due = async (client: pg.PoolClient, before_ms: number): Promise<readonly Partition[]> => {
  const found: Partition[] = []
  for (const partition of (await client.query<Partition>(DUE)).rows) {
    const newest = await client.query<{ recorded_at: bigint }>(
      `SELECT recorded_at FROM ${quoted(partition.name)} WHERE position >= $1 ORDER BY position DESC LIMIT 1`,
      [partition.since],
    )
    if (newest.rows[0] && newest.rows[0].recorded_at > before_ms) break
    found.push(partition)
  }
  return found
}

interface Marked {
  readonly streams: number
  readonly events: number
}

/** A stream as one partition has it, while its events pass in order. */
interface Passing {
  readonly stream: string
  readonly type: AnyStreamType
  version: number
  state: unknown
  head: Buffer
}

class PartitionArchive {
  #unreadable = 0

  constructor(
    private readonly client: pg.PoolClient,
    private readonly types: StreamTypes,
    private readonly clock: Pick<Clock, 'now' | 'sleep'>,
    private readonly partition: Partition,
    private readonly options: ArchiveOptions,
  ) {}

  /** Undefined: it was stopped before the end. */
  async run(): Promise<Archived | undefined> {
    const { name } = this.partition
    if (!(await this.#closeToNewcomers())) return undefined
    const closed = await this.#markClosed()
    if (!closed) return undefined
    const moved = await (this.options.dryRun ? this.#count() : this.#moveLiving())
    if (moved === undefined) return undefined
    const unreadable = this.#unreadable
    if (this.options.dryRun) return { partition: name, streams: closed.streams, moved: moved - closed.events, unreadable }
    if (!(await detach(this.#waiting, name))) return undefined
    return { partition: name, streams: closed.streams, moved, unreadable }
  }

  async #count(): Promise<number> {
    const { rows } = await this.client.query<{ events: bigint }>(`SELECT count(*) AS events FROM ${quoted(this.partition.name)}`)
    return Number(rows[0]?.events ?? 0)
  }

  /**
   * A stream that is brought back, or moved, goes to the partition of the position that it finds. Whoever found one in this partition has committed when this
   * lock is had; from then on they find later ones. Appends were never to come here again.
   */
  async #closeToNewcomers(): Promise<boolean> {
    if (this.options.dryRun) return true
    return patiently(this.#waiting, `${this.partition.name} is about to be archived, and`, async () => {
      await this.client.query(`SELECT pg_advisory_lock(724211003, ${STORE})`)
      await this.client.query(`SELECT pg_advisory_unlock(724211003, ${STORE})`)
    })
  }

  get #waiting(): Waiting {
    return { client: this.client, clock: this.clock, signal: this.options.signal }
  }

  /** Marks the streams that are closed and have all their events here. Answers how many are marked in the end, and how many events they have. */
  async #markClosed(): Promise<Marked | undefined> {
    let closed: Passing[] = []
    let found: Marked = { streams: 0, events: 0 }
    const flush = async () => {
      const marked = closed.length > 0 ? await this.#mark(closed) : []
      found = { streams: found.streams + marked.length, events: marked.reduce((sum, { version }) => sum + Number(version), found.events) }
      closed = []
    }
    for await (const each of this.#streams()) {
      if (this.options.signal?.aborted) return undefined
      if (this.#readable(each.stream, () => each.type.closed?.(each.state) === true)) closed.push(each)
      if (closed.length === PAGE) await flush()
    }
    await flush()
    return found
  }

  /** The streams that begin here and have no hole here, each folded by today's `evolve`. Whether they end here the mark finds out. */
  async *#streams(): AsyncGenerator<Passing> {
    let passing: Passing | undefined
    let [stream, version] = ['', 0n]
    for (;;) {
      const { rows } = await this.client.query<EventRow>({
        text: `SELECT ${EVENT_COLUMNS} FROM ${quoted(this.partition.name)} WHERE (stream_id, version) > ($1, $2) ORDER BY stream_id, version LIMIT ${PAGE}`,
        values: [stream, version],
      })
      for (const row of rows) {
        if (row.stream_id !== stream) {
          if (passing) yield passing
          passing = this.#begun(row.stream_id)
        }
        ;({ stream_id: stream, version } = row)
        if (!passing) continue
        const next: Passing = passing
        if (Number(row.version) !== next.version + 1 || !this.#readable(stream, () => this.#pass(next, row))) passing = undefined
      }
      if (rows.length < PAGE) break
    }
    if (passing) yield passing
  }

  #begun(stream: string): Passing | undefined {
    const type = typeOfStream(this.types, stream)
    return type?.closed ? { stream, type, ...emptyEntry(type) } : undefined
  }

  #pass(passing: Passing, row: EventRow): true {
    const data = upcastData(passing.type, row.type, row.schema_version, parseObject(row.payload))
    passing.state = evolve({ type: passing.type, id: '' }, passing.state, { type: row.type, data })
    passing.version = Number(row.version)
    passing.head = row.hash
    return true
  }

  /** One stream that cannot be read holds up no other. */
  #readable(stream: string, read: () => boolean): boolean {
    try {
      return read()
    } catch (error) {
      this.#unreadable++
      this.options.onUnreadable?.(stream, error)
      return false
    }
  }

  /** Under the store's lock, as whoever changes several streams at once: in any other order than appends do, it could wait for one that waits for it. */
  async #mark(closed: readonly Passing[]): Promise<readonly { readonly version: bigint }[]> {
    const values = [
      textArray(closed.map(({ stream }) => stream)),
      int8Array(closed.map(({ version }) => version)),
      byteaArray(closed.map(({ head }) => head)),
      this.partition.name,
    ]
    const known = 'unnest($1::text[], $2::bigint[], $3::bytea[]) AS u (stream_id, version, head)'
    const same = 's.stream_id = u.stream_id AND s.version = u.version AND s.head = u.head AND coalesce(s.archive, $4) = $4'
    if (this.options.dryRun) {
      const { rows } = await this.client.query<{ version: bigint }>(`SELECT s.version FROM streams s JOIN ${known} ON ${same}`, values)
      return rows
    }
    return this.#transaction(async () => {
      await this.client.query(`SELECT pg_advisory_xact_lock(724211002, ${STORE})`)
      const { rows } = await this.client.query<{ version: bigint }>(
        `WITH marked AS (UPDATE streams s SET archive = $4 FROM ${known} WHERE ${same} RETURNING s.stream_id, s.version),
          forgotten AS (DELETE FROM snapshots WHERE stream_id IN (SELECT stream_id FROM marked))
        SELECT version FROM marked`,
        values,
      )
      return rows
    })
  }

  async #transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.client.query('BEGIN')
    const done = await work()
    await this.client.query('COMMIT')
    return done
  }

  /** Moves forward what is not of a marked stream, a page at a time. The position of an event, and so what any reader sees, stays as it is. */
  async #moveLiving(): Promise<number | undefined> {
    const { name, since, upto, ahead } = this.partition
    const moving = `
      WITH page AS (SELECT position, stream_id FROM ${quoted(name)} WHERE position > $1 ORDER BY position LIMIT ${PAGE}),
      target AS MATERIALIZED (
        SELECT p.position, coalesce(
          (SELECT ${KEPT_AT} FROM events n WHERE n.stream_id = p.stream_id AND n.version = s.version AND ${KEPT_AT} >= $4),
          $5
        ) AS kept_at
        FROM page p LEFT JOIN streams s ON s.stream_id = p.stream_id WHERE s.archive IS DISTINCT FROM $2
      ), moved AS (
        UPDATE events e SET moved_to = t.kept_at FROM target t
        WHERE e.position = t.position AND coalesce(e.moved_to, e.position) >= $3 AND coalesce(e.moved_to, e.position) < $4 RETURNING 1
      )
      SELECT (SELECT count(*) FROM moved) AS events, (SELECT max(position) FROM page) AS last`
    let moved = 0
    for (let after = 0n; ;) {
      if (this.options.signal?.aborted) return undefined
      const { rows } = await this.client.query<{ events: bigint; last: bigint | null }>(moving, [after, name, since, upto, ahead])
      moved += Number(rows[0]?.events ?? 0)
      if (typeof rows[0]?.last !== 'bigint') return moved
      after = rows[0].last
    }
  }
}
