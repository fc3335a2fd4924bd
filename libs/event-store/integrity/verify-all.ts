import type pg from 'pg'
import { eventsWith } from '../archive/archives.js'
import { byteaArray, int8Array, textArray } from '../reading/binary-array.js'
import type { CheckpointSeal, StreamHead } from './checkpoint.js'
import { chainPagesByStream, inSnapshot, streamRows, type StreamRow } from '../reading/consistent-read.js'
import { isOfCategory, type StreamTypes } from '../stream.js'

/** What is wrong with one stream. */
export interface Fault {
  readonly stream: string
  readonly fault:
    /** The chain does not go on at `version`: that event is not as it was hashed, not there, or not in its place. */
    | 'broken'
    /** The stream's own row says another end than its events come to, at `version`, or there is no such row. */
    | 'other-head'
    /**
     * Sound in itself, but at `version` a checkpoint knows it as another, or as longer than it is, or it is gone; or it is said to be in an archive that is
     * elsewhere, and the checkpoint knows that it cannot be there so.
     */
    | 'rewritten'
    /** An event, the first of which is at `version`, is there twice: an archive was put back that holds what came back from it since. */
    | 'doubled'
    /** The event at `version` has a position that no commit can have given it: not after the one before it, or after the store's last. */
    | 'misplaced'
    /** The stream's own row says another category than its name: readers of its category do not find it. It ends at `version`. */
    | 'other-category'
  readonly version: number
}

export interface Verified {
  readonly streams: number
  readonly events: number
  /** Of the streams, those whose archive is not in this database: of their events nothing is said, only what their rows say is held against a checkpoint. */
  readonly elsewhere: number
  /** The archives that are not in this database, and were when the checkpoint was signed, or were none yet. Absent: there are none, or no seal says. */
  readonly takenOut?: readonly string[]
  /** The store's incarnation where it is not the seal's: it is another store, or was brought back from a backup since. */
  readonly incarnation?: string
  /** One for each faulty stream, the first `MOST_FAULTS` of them. */
  readonly faults: readonly Fault[]
}

export const MOST_FAULTS = 1_000
const HEADS_PER_TRIP = 2_000

export const otherThanKnown = (archives: readonly string[]): string => `
SELECT u.i, s.archive, s.version, s.head, e.hash FROM unnest($1::text[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS u (stream, version, head, i)
LEFT JOIN streams s ON s.stream_id = u.stream
LEFT JOIN LATERAL (
  SELECT hash FROM ${eventsWith(archives)} x WHERE x.stream_id = u.stream AND x.version = u.version AND x.kept_at >= s.since
) e ON true
WHERE e.hash IS DISTINCT FROM u.head ORDER BY u.i`

/**
 * Recomputes every chain of the store as it is at one moment, those of its archives among them, and holds it against the heads that a checkpoint knows, where they are given. It
 * reads in pages: a store of any size takes the same memory. With the checkpoint's seal, what it says of archives counts too.
 */
export const verifyAll = (
  pool: pg.Pool,
  known?: AsyncIterable<StreamHead> | Iterable<StreamHead>,
  { seal, types }: VerifyWith = {},
): Promise<Verified> =>
  inSnapshot(pool, async (client, archives) => {
    const present = archives.filter(({ here }) => here).map(({ name }) => name)
    const absent = archives.filter(({ here }) => !here).map(({ name }) => name)
    const faults = new Map<string, Fault>()
    const tell = (stream: string, fault: Fault['fault'], version: number) => {
      const told = faults.get(stream)
      // What is wrong with the events of a stream is said rather than where they stand: a chain that was rewritten hides behind no category.
      if (told ? OF_PLACE.has(told.fault) : faults.size < MOST_FAULTS) faults.set(stream, { stream, fault, version })
    }
    let streams = 0
    let events = 0
    let elsewhere = 0
    for await (const chain of chains(client, present)) {
      streams++
      if (chain.row && !isOfCategory(types, chain.stream, chain.row.category))
        tell(chain.stream, 'other-category', Number(chain.row.version))
      if (chain.events === 0 && chain.row?.archive && absent.includes(chain.row.archive)) {
        elsewhere++
        continue
      }
      events += chain.events
      if (chain.doubledAt !== undefined) tell(chain.stream, 'doubled', chain.doubledAt)
      else if (chain.brokenAt !== undefined) tell(chain.stream, 'broken', chain.brokenAt)
      else if (!chain.row || Number(chain.row.version) !== chain.events || chain.hash !== chain.row.head.toString('latin1'))
        tell(chain.stream, 'other-head', chain.events)
      else if (chain.misplacedAt !== undefined) tell(chain.stream, 'misplaced', chain.misplacedAt)
    }
    if (known)
      for await (const { stream, version } of otherThan(client, known, present, mayBeElsewhere(absent, seal)))
        tell(stream, 'rewritten', version)
    const found = { streams, events, elsewhere, faults: [...faults.values()] }
    return seal ? { ...found, ...(await sinceSigned(client, absent, seal)) } : found
  })

const OF_PLACE: ReadonlySet<Fault['fault']> = new Set(['other-category', 'misplaced'])

export interface VerifyWith {
  /** Of the checkpoint whose heads are given. */
  readonly seal?: Pick<CheckpointSeal, 'incarnation' | 'archives'>
  /** Those of the app. Without them a category is held against the beginning of the stream's name alone: `wallet` would do for `wallet-owner-1`. */
  readonly types?: StreamTypes
}

const sinceSigned = async (
  client: pg.PoolClient,
  absent: readonly string[],
  seal: NonNullable<VerifyWith['seal']>,
): Promise<Pick<Verified, 'takenOut' | 'incarnation'>> => {
  const { rows } = await client.query<{ incarnation: string }>('SELECT incarnation FROM store')
  const incarnation = rows[0]?.incarnation ?? ''
  const goneThen = new Set((seal.archives ?? []).filter(({ here }) => !here).map(({ name }) => name))
  const takenOut = seal.archives ? absent.filter((name) => !goneThen.has(name)) : []
  return { ...(takenOut.length > 0 ? { takenOut } : {}), ...(incarnation === seal.incarnation ? {} : { incarnation }) }
}

interface Chain {
  readonly stream: string
  readonly row: StreamRow | undefined
  events: number
  /** Of the last event, a character a byte. */
  hash: string
  brokenAt?: number
  doubledAt?: number
  misplacedAt?: number
}

/** Every stream that has events or a row, with what its events come to. */
const chains = async function* (client: pg.PoolClient, archives: readonly string[]): AsyncGenerator<Chain> {
  const store = await client.query<{ position: bigint }>('SELECT position FROM store')
  const end = store.rows[0]?.position ?? 0n
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
      const isInPlace = (chain.events === 0 || event.position > position) && event.position <= end
      position = event.position
      const version = ++chain.events
      if (!isInPlace) chain.misplacedAt ??= version
      if (chain.brokenAt !== undefined) continue
      if (!event.holds || event.version !== version) chain.brokenAt = version
      chain.hash = event.hash
    }
  if (chain) yield chain
  for (; row.done !== true; row = await rows.next()) yield begin(row.value.stream_id, row.value)
}

interface OtherThanKnown {
  readonly i: bigint
  /** What the stream's row says, null where there is none. */
  readonly archive: string | null
  readonly version: bigint | null
  readonly head: Buffer | null
  /** Of the event at the known version, null where there is none. */
  readonly hash: Buffer | null
}

/**
 * Whether a known head that no event has may be in an archive that is elsewhere. The row must not say less than the head. Nothing comes into an archive any
 * more once it is one: of those that were signed the row must say the very same, and the stream have been in that one.
 */
const mayBeElsewhere =
  (absent: readonly string[], seal: VerifyWith['seal']) =>
  (known: StreamHead, { archive, version, head, hash }: OtherThanKnown): boolean => {
    if (archive === null || version === null || head === null || hash !== null || !absent.includes(archive)) return false
    const same = Number(version) === known.version && head.equals(known.head)
    if (seal?.archives?.some(({ name }) => name === archive)) return same && known.archive === archive
    return same || Number(version) > known.version
  }

/** Those of the heads that no event of the store has, nor may have elsewhere. */
const otherThan = async function* (
  client: pg.PoolClient,
  known: AsyncIterable<StreamHead> | Iterable<StreamHead>,
  present: readonly string[],
  excused: (head: StreamHead, found: OtherThanKnown) => boolean,
) {
  const text = otherThanKnown(present)
  let page: StreamHead[] = []
  const look = async () => {
    const values = [
      textArray(page.map(({ stream }) => stream)),
      int8Array(page.map(({ version }) => version)),
      byteaArray(page.map(({ head }) => Buffer.from(head))),
    ]
    const { rows } = await client.query<OtherThanKnown>({ text, values })
    const asked = page
    page = []
    return rows.flatMap((found) => {
      const head = asked[Number(found.i) - 1]
      return head && !excused(head, found) ? [head] : []
    })
  }
  for await (const head of known) {
    page.push(head)
    if (page.length === HEADS_PER_TRIP) yield* await look()
  }
  if (page.length > 0) yield* await look()
}

/** As PostgreSQL's collation "C" compares UTF-8. */
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
