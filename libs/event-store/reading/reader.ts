import type { Clock } from '#kernel'
import type pg from 'pg'
import { archivesAfter, eventsWith, restoreStream } from '../archive/archives.js'
import { emptyEntry, evolve, type StreamEntry } from '../append/decide.js'
import { NO_HASH } from '../integrity/hash-chain.js'
import { knownShapeOf } from './loader.js'
import { EVENT_COLUMNS, hashOf, toRecorded, type EventRow } from './recorded.js'
import { parseObject } from './rows.js'
import { KEPT_AT } from '../sql/partitions.js'
import type { Events, ReadAll, ReadStream, RecordedEvent, StreamRef, StreamState } from '../store.js'
import { registeredRef, streamName, upcastData, type AnyStreamType, type StreamTypes } from '../stream.js'

const PAGE = 1_000
/** Events that one trip for a category looks at. */
export const LOOKED_AT = 10_000

/** One row at least where there is such a stream: it says whether it is archived. Partitions older than the stream are passed over. */
export const STREAM_PAGE = `
SELECT s.archive, e.* FROM streams s LEFT JOIN LATERAL (
  SELECT ${EVENT_COLUMNS} FROM events x
  WHERE x.stream_id = $1 AND x.version BETWEEN $2 AND $4 AND x.recorded_at <= $5 AND ${KEPT_AT} >= s.since
  ORDER BY x.version LIMIT $3
) e ON true
WHERE s.stream_id = $1 ORDER BY e.version`
export const allPage = (archives: readonly string[]): string => `
SELECT ${EVENT_COLUMNS} FROM ${eventsWith(archives)} e
WHERE position > $1 AND kept_at > $1 AND recorded_at <= $3 ORDER BY position LIMIT $2`
/**
 * The events of a category among the next ones of all, at most `$5` of them: however rare the category is, a trip looks at no more. One row at least:
 * how many it looked at, and up to which position.
 */
export const categoryPage = (archives: readonly string[]): string => `
WITH looked AS MATERIALIZED (
  SELECT ${EVENT_COLUMNS} FROM ${eventsWith(archives)} e
  WHERE position > $1 AND kept_at > $1 AND recorded_at <= $3 ORDER BY position LIMIT $5
), found AS (
  SELECT l.* FROM looked l JOIN streams s ON s.stream_id = l.stream_id WHERE s.category = $4 ORDER BY l.position LIMIT $2
)
SELECT w.looked, w.upto, f.* FROM (SELECT count(*) AS looked, max(position) AS upto FROM looked) w LEFT JOIN found f ON true ORDER BY f.position`

/** How long a follower waits at the end before it looks again. */
const FOLLOW_EVERY_MS = 200

/** Pages as they are asked for: a slow reader holds one page and no transaction. An archived stream is brought back. */
export const readStream = async function* (
  pool: pg.Pool,
  stream: string,
  { from = 1, to = Number.MAX_SAFE_INTEGER, until = Number.MAX_SAFE_INTEGER, limit = Infinity }: ReadStream = {},
): AsyncGenerator<EventRow> {
  let next = from
  for (let left = limit; left > 0;) {
    const size = Math.min(PAGE, left)
    const found = await pool.query<EventRow & { archive: string | null }>({
      name: 'read_stream',
      text: STREAM_PAGE,
      values: [stream, next, size, to, until],
    })
    if (found.rows[0]?.archive) {
      await restoreStream(pool, stream)
      continue
    }
    const rows = found.rows.filter(({ position }) => position !== null)
    yield* rows
    const last = rows.at(-1)
    if (!last || rows.length < size) return
    next = Number(last.version) + 1
    left -= rows.length
  }
}

const readAll = async function* (
  pool: pg.Pool,
  types: StreamTypes,
  clock: Pick<Clock, 'sleep'>,
  { after = 0n, until = Number.MAX_SAFE_INTEGER, category, limit = Infinity, follow }: ReadAll = {},
): AsyncGenerator<RecordedEvent> {
  let position = after
  let archives = await archivesAfter(pool, position)
  for (let left = limit; left > 0;) {
    const size = Math.min(PAGE, left)
    const { rows, upto, isLast } =
      category === undefined
        ? await pageOfAll(pool, archives, position, size, until)
        : await pageOfCategory(pool, archives, position, size, until, category)
    // An archive is listed before it is detached: a page that may have missed one is told so by the list as it is after the page.
    const known = archives
    archives = await archivesAfter(pool, position)
    if (archives.some((name) => !known.includes(name))) continue
    for (const row of rows) {
      // Twice in the page while its partition is on the way to being an archive.
      if (row.position <= position) continue
      position = row.position
      yield toRecorded(types, row)
      left--
    }
    if (upto > position) position = upto
    if (!isLast) continue
    if (!follow || !(await waited(clock, follow))) return
  }
}

interface Page {
  readonly rows: readonly EventRow[]
  /** Nothing else that is asked for lies up to here. */
  readonly upto: bigint
  readonly isLast: boolean
}

const pageOfAll = async (pool: pg.Pool, archives: readonly string[], after: bigint, size: number, until: number): Promise<Page> => {
  const { rows } = await pool.query<EventRow>({
    ...named('read_all', archives),
    text: allPage(archives),
    values: [after, size, until],
  })
  return { rows, upto: rows.at(-1)?.position ?? after, isLast: rows.length < size }
}

const pageOfCategory = async (
  pool: pg.Pool,
  archives: readonly string[],
  after: bigint,
  size: number,
  until: number,
  category: string,
): Promise<Page> => {
  const page = await pool.query<EventRow & { readonly looked: bigint; readonly upto: bigint | null }>({
    ...named('read_category', archives),
    text: categoryPage(archives),
    values: [after, size, until, category, LOOKED_AT],
  })
  const [first] = page.rows
  const rows = page.rows.filter(({ position }) => position !== null)
  if (rows.length === size) return { rows, upto: rows.at(-1)?.position ?? after, isLast: false }
  return { rows, upto: first?.upto ?? after, isLast: Number(first?.looked ?? 0) < LOOKED_AT }
}

/** Another text for each set of archives is not worth being kept prepared. */
const named = (name: string, archives: readonly string[]) => (archives.length === 0 ? { name } : {})

/** False when it was aborted. */
const waited = (clock: Pick<Clock, 'sleep'>, signal: AbortSignal): Promise<boolean> =>
  clock.sleep(FOLLOW_EVERY_MS, signal).then(
    () => true,
    () => false,
  )

/** The chain over these rows, as it should be, and where it first is not. */
export const verifyChain = async (
  rows: AsyncIterable<EventRow>,
  head: { readonly version: number; readonly hash: Buffer },
): ReturnType<Events['verify']> => {
  let previous: Buffer = NO_HASH
  let version = 0
  for await (const row of rows) {
    const expected = hashOf(row, version + 1, previous)
    if (Number(row.version) !== version + 1 || !expected.equals(row.hash))
      return { ok: false, version: head.version, checkedEvents: version, head: head.hash.toString('hex'), brokenAt: version + 1 }
    previous = expected
    version++
  }
  const whole = version === head.version && previous.equals(head.hash)
  const result = { version: head.version, checkedEvents: version, head: head.hash.toString('hex') }
  return whole ? { ok: true, ...result } : { ok: false, ...result, brokenAt: version + 1 }
}

const verify = async (pool: pg.Pool, stream: string): ReturnType<Events['verify']> => {
  // The head first: what is appended meanwhile lies beyond it and is not looked at.
  const { rows } = await pool.query<{ version: bigint; head: Buffer }>('SELECT version, head FROM streams WHERE stream_id = $1', [stream])
  const head = { version: Number(rows[0]?.version ?? 0), hash: rows[0]?.head ?? NO_HASH }
  return verifyChain(readStream(pool, stream, { limit: head.version }), head)
}

export const loadAt = async <State>(
  pool: pg.Pool,
  ref: StreamRef<State>,
  at: { readonly version: number } | { readonly time: number },
): Promise<StreamState<State>> => {
  const stream = streamName(ref)
  const version = 'version' in at ? at.version : Number.MAX_SAFE_INTEGER
  const time = 'time' in at ? at.time : Number.MAX_SAFE_INTEGER
  let entry = (await snapshotBefore(pool, stream, ref, version, time)) ?? emptyEntry(ref.type as AnyStreamType)
  for await (const row of readStream(pool, stream, { from: entry.version + 1, limit: Math.max(0, version - entry.version) })) {
    if (Number(row.recorded_at) > time) break
    const state = evolve(ref, entry.state, {
      type: row.type,
      data: upcastData(ref.type, row.type, row.schema_version, parseObject(row.payload)),
    })
    entry = { version: Number(row.version), state, head: row.hash, time: Number(row.recorded_at) }
  }
  return { version: entry.version, state: entry.state as State }
}

const snapshotBefore = async (
  pool: pg.Pool,
  stream: string,
  ref: StreamRef,
  version: number,
  time: number,
): Promise<StreamEntry | undefined> => {
  const { rows } = await pool.query<{ version: bigint; hash: Buffer; recorded_at: bigint; state: Buffer }>({
    name: 'snapshot_before',
    text: `SELECT version, hash, recorded_at, state FROM snapshots
      WHERE stream_id = $1 AND shape = $2 AND version <= $3 AND recorded_at <= $4`,
    values: [stream, knownShapeOf(ref), version, time],
  })
  const row = rows[0]
  if (!row) return undefined
  const json = parseObject(row.state)
  const state: unknown = ref.type.snapshot ? ref.type.snapshot.read(json) : json
  return { version: Number(row.version), state, head: row.hash, time: Number(row.recorded_at) }
}

/** The read side alone, for who writes nothing: it takes no connections of its own and starts nothing. */
export const pgEvents = (pool: pg.Pool, types: StreamTypes, clock: Pick<Clock, 'sleep'>): Omit<Events, 'load'> => ({
  async loadAt(ref, at) {
    return loadAt(pool, registeredRef(types, ref), at)
  },
  async *readStream(stream, options) {
    for await (const row of readStream(pool, stream, options)) yield toRecorded(types, row)
  },
  readAll: (options) => readAll(pool, types, clock, options),
  verify: (stream) => verify(pool, stream),
})
