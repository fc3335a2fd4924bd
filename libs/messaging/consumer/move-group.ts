import { asPg, pgTransactions, type PgTransaction } from '#postgres'
import type pg from 'pg'
import { partitionName, type LogDriver, type PartitionOffsets } from '../log.js'
import { Marks } from './marks.js'
import { pgConsumerStore, readMarks, writeMarks } from './pg-store.js'
import type { Mark, Place } from './store.js'

/** What a group still has to do before it can leave a log. */
export interface GroupInLog {
  /** The log that it reads; none where no process was here since groups remember it. Empty places: it never read anything. */
  readonly log: string | undefined
  readonly places: number
  /** Messages that it has not read, and in which topics they are. */
  readonly lag: number
  readonly behindIn: readonly string[]
  /** Put aside, to be tried again, or held behind a parked one. */
  readonly deferred: number
  readonly parked: number
}

export const groupInLog = async (pool: pg.Pool, group: string, from: Pick<LogDriver, 'name' | 'offsets'>): Promise<GroupInLog> => {
  const store = pgConsumerStore(pool)
  const [places, aside] = await Promise.all([store.places(group), store.aside(group)])
  const log = places.find((place) => place.log !== from.name)?.log ?? places[0]?.log
  const behind = log === from.name ? await behindOf(places, from) : new Map<string, number>()
  return {
    log,
    places: places.length,
    lag: [...behind.values()].reduce((sum, messages) => sum + messages, 0),
    behindIn: [...behind.keys()],
    deferred: aside.reduce((sum, { deferred }) => sum + deferred, 0),
    parked: aside.reduce((sum, { parked }) => sum + parked, 0),
  }
}

/** Per topic, where anything is left. A partition that it never began counts from its first record. */
const behindOf = async (places: readonly Omit<Place, 'log'>[], from: Pick<LogDriver, 'offsets'>): Promise<ReadonlyMap<string, number>> => {
  const next = new Map(places.map((place) => [partitionName(place), place.next]))
  const behind = new Map<string, number>()
  for (const topic of topicsOf(places)) {
    const left = (await from.offsets(topic)).reduce((sum, end) => {
      const at = next.get(partitionName({ topic, partition: end.partition })) ?? end.first
      return at < end.next ? sum + Number(end.next - at) : sum
    }, 0)
    if (left > 0) behind.set(topic, left)
  }
  return behind
}

const topicsOf = (places: readonly { readonly topic: string }[]): readonly string[] => [...new Set(places.map(({ topic }) => topic))]

/**
 * The group tells nothing more to the log that it reads: its dead letters wait until it reads another one. `false` takes it back. What it was
 * about to tell is told again.
 */
export const leaveLog = async (pool: pg.Pool, group: string, leaving: boolean): Promise<void> => {
  await pool.query('UPDATE consumer_offset SET leaving = $2 WHERE "group" = $1 AND leaving <> $2', [group, leaving])
}

/** Something is left to be read or tried again, or came meanwhile: `groupInLog` says what. */
export class StillReads extends Error {
  override readonly name = 'StillReads'
}

interface PlaceRow {
  readonly topic: string
  readonly partition: number
  readonly next: bigint
  readonly marks: string
  readonly log: string | null
}

/**
 * Moves a group that has read `from` to its end over to `to`, whose partitions may be others: it goes on behind what is there now, and passes over
 * whatever it handled before, wherever it comes. One transaction; a process that still reads `from` is fenced by it. Again is nothing. Rejects with
 * `StillReads` where something is left.
 */
export const moveGroup = (pool: pg.Pool, group: string, from: LogDriver, to: LogDriver): Promise<void> =>
  pgTransactions(pool).run(async (transaction) => {
    const tx = asPg(transaction)
    const { rows } = await tx.query<PlaceRow>(
      `SELECT topic, partition, next, marks, log FROM consumer_offset WHERE "group" = $1 ORDER BY topic, partition FOR UPDATE`,
      [group],
    )
    if (rows.every(({ log }) => log === to.name)) return
    if (rows.some(({ log }) => log !== from.name)) throw new Error(`${group} reads the log in ${rows[0]?.log ?? 'an unknown place'}`)
    const { rows: aside } = await tx.query('SELECT FROM deferred WHERE "group" = $1 AND NOT redriven LIMIT 1', [group])
    const behind = await behindOf(rows, from)
    if (behind.size + aside.length > 0) throw new StillReads(`${group} has not read ${[...behind.keys()].join(', ')} to the end`)
    for (const topic of topicsOf(rows)) {
      const ends = await to.offsets(topic)
      if (ends.length === 0) throw new Error(`${to.name} has no topic ${topic}`)
      await begin(tx, group, topic, marksOf(rows.filter((row) => row.topic === topic)), ends, to.name)
    }
  })

const begin = async (
  tx: PgTransaction,
  group: string,
  topic: string,
  marks: readonly Mark[],
  ends: readonly PartitionOffsets[],
  log: string,
): Promise<void> => {
  // Those that the log does not have stay as rows, so that a process of the log before cannot begin them anew.
  await tx.query(
    `UPDATE consumer_offset SET next = -1, marks = '[]', last = NULL, log = $3, leaving = false WHERE "group" = $1 AND topic = $2`,
    [group, topic, log],
  )
  await tx.query(
    `INSERT INTO consumer_offset ("group", topic, partition, next, marks, log)
     SELECT $1, $2, partition, next, $5, $6 FROM unnest($3::int[], $4::bigint[]) AS place (partition, next)
     ON CONFLICT ("group", topic, partition) DO UPDATE SET next = excluded.next, marks = excluded.marks`,
    [group, topic, ends.map(({ partition }) => partition), ends.map(({ next }) => next), writeMarks(marks), log],
  )
}

/**
 * A key may be in another partition of the other log, so each begins with the furthest that a source was read in any. All of them were read to the
 * end, so that nothing up to there is missing.
 */
const marksOf = (rows: readonly PlaceRow[]): readonly Mark[] => {
  const read = rows.flatMap(({ marks }) => readMarks(marks)).toSorted(byPlace)
  const furthest = new Marks()
  for (const { source, ...origin } of read) furthest.pass(source, origin)
  return furthest.list()
}

const byPlace = (a: Mark, b: Mark): number => (a.position === b.position ? a.ordinal - b.ordinal : a.position < b.position ? -1 : 1)
