import type pg from 'pg'
import { eventsWith } from '../archive/archives.js'
import { byteaArray, int8Array, textArray } from '../reading/binary-array.js'
import { chainPagesByStream, inSnapshot, streamRows, type StreamRow } from '../reading/consistent-read.js'

/** How far a stream had come, and the hash of its last event. */
export interface StreamHead {
  readonly stream: string
  readonly version: number
  readonly head: Uint8Array
}

/** What is wrong with one stream. */
export interface Fault {
  readonly stream: string
  readonly fault:
    /** The chain does not go on at `version`: that event is not as it was hashed, not there, or not in its place. */
    | 'broken'
    /** The stream's own row says another end than its events come to, at `version`, or there is no such row. */
    | 'other-head'
    /** Sound in itself, but at `version` a checkpoint knows it as another, or as longer than it is, or it is gone. */
    | 'rewritten'
    /** An event, the first of which is at `version`, is there twice: an archive was put back that holds what came back from it since. */
    | 'doubled'
  readonly version: number
}

export interface Verified {
  readonly streams: number
  readonly events: number
  /** Of the streams, those whose archive is not in this database: of them nothing is said. */
  readonly elsewhere: number
  /** One for each faulty stream, the first `MOST_FAULTS` of them. */
  readonly faults: readonly Fault[]
}

export const MOST_FAULTS = 1_000
const HEADS_PER_TRIP = 2_000

export const otherThanKnown = (archives: readonly string[]): string => `
SELECT u.stream, u.version FROM unnest($1::text[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS u (stream, version, head, i)
LEFT JOIN streams s ON s.stream_id = u.stream
LEFT JOIN LATERAL (
  SELECT hash FROM ${eventsWith(archives)} x WHERE x.stream_id = u.stream AND x.version = u.version AND x.kept_at >= s.since
) e ON true
WHERE e.hash IS DISTINCT FROM u.head AND NOT coalesce(s.archive = ANY ($4::text[]), false) ORDER BY u.i`

/**
 * Recomputes every chain of the store as it is at one moment, those of its archives among them, and holds it against the heads that a checkpoint knows, where they are given. It
 * reads in pages: a store of any size takes the same memory.
 */
export const verifyAll = (pool: pg.Pool, known?: AsyncIterable<StreamHead> | Iterable<StreamHead>): Promise<Verified> =>
  inSnapshot(pool, async (client, archives) => {
    const present = archives.filter(({ here }) => here).map(({ name }) => name)
    const absent = archives.filter(({ here }) => !here).map(({ name }) => name)
    const faults = new Map<string, Fault>()
    const tell = (stream: string, fault: Fault['fault'], version: number) => {
      if (faults.size < MOST_FAULTS && !faults.has(stream)) faults.set(stream, { stream, fault, version })
    }
    let streams = 0
    let events = 0
    let elsewhere = 0
    for await (const chain of chains(client, present)) {
      streams++
      if (chain.events === 0 && chain.row?.archive && absent.includes(chain.row.archive)) {
        elsewhere++
        continue
      }
      events += chain.events
      if (chain.doubledAt !== undefined) tell(chain.stream, 'doubled', chain.doubledAt)
      else if (chain.brokenAt !== undefined) tell(chain.stream, 'broken', chain.brokenAt)
      else if (!chain.row || Number(chain.row.version) !== chain.events || chain.hash !== chain.row.head.toString('latin1'))
        tell(chain.stream, 'other-head', chain.events)
    }
    if (known) for await (const { stream, version } of otherThan(client, known, present, absent)) tell(stream, 'rewritten', version)
    return { streams, events, elsewhere, faults: [...faults.values()] }
  })

interface Chain {
  readonly stream: string
  readonly row: StreamRow | undefined
  events: number
  /** Of the last event, a character a byte. */
  hash: string
  brokenAt?: number
  doubledAt?: number
}

/** Every stream that has events or a row, with what its events come to. */
const chains = async function* (client: pg.PoolClient, archives: readonly string[]): AsyncGenerator<Chain> {
  const rows = streamRows(client)
  let row = await rows.next()
  let chain: Chain | undefined
  let position = 0n
  const begin = (stream: string, own: StreamRow | undefined): Chain => ({ stream, row: own, events: 0, hash: '' })
  for await (const page of chainPagesByStream(client, archives))
    for (const event of page) {
      if (chain?.stream !== event.stream) {
        if (chain) yield chain
        for (; row.done !== true && compare(row.value.stream_id, event.stream) < 0; row = await rows.next())
          yield begin(row.value.stream_id, row.value)
        const own: StreamRow | undefined = row.done !== true && row.value.stream_id === event.stream ? row.value : undefined
        if (own) row = await rows.next()
        chain = begin(event.stream, own)
      }
      if (event.position === position) {
        chain.doubledAt ??= chain.events
        continue
      }
      position = event.position
      const version = ++chain.events
      if (chain.brokenAt !== undefined) continue
      if (!event.holds || event.version !== version) chain.brokenAt = version
      chain.hash = event.hash
    }
  if (chain) yield chain
  for (; row.done !== true; row = await rows.next()) yield begin(row.value.stream_id, row.value)
}

/** Those of the heads that no event of the store has. */
const otherThan = async function* (
  client: pg.PoolClient,
  known: AsyncIterable<StreamHead> | Iterable<StreamHead>,
  present: readonly string[],
  absent: readonly string[],
) {
  const text = otherThanKnown(present)
  let page: StreamHead[] = []
  const look = async () => {
    const values = [
      textArray(page.map(({ stream }) => stream)),
      int8Array(page.map(({ version }) => version)),
      byteaArray(page.map(({ head }) => Buffer.from(head))),
      textArray(absent),
    ]
    const { rows } = await client.query<{ stream: string; version: bigint }>({ text, values })
    page = []
    return rows.map(({ stream, version }) => ({ stream, version: Number(version) }))
  }
  for await (const head of known) {
    page.push(head)
    if (page.length === HEADS_PER_TRIP) yield* await look()
  }
  if (page.length > 0) yield* await look()
}

/** As PostgreSQL's collation "C" compares UTF-8. */
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
