import { Conflict, isBrokenAssumption, type PgTransaction } from '#postgres'
import { AppendBatch, type StreamUpdate, type Verdict } from './batch.js'
import { emptyEntry, type CheckedCommand, type StreamEntry } from './decide.js'
import { loadStreams } from '../reading/loader.js'
import type { Query } from '../reading/rows.js'
import { StoreUnavailable, type StreamRef } from '../store.js'
import type { AnyStreamType } from '../stream.js'

/** The first attempt may meet old state; the second, under the store's lock, cannot. More than this is a fault of the store. */
const MOST_ATTEMPTS = 4
const COMMANDS_PER_TRIP = 256

export interface TransactionOutcome {
  /** One per command, in order; none is `refused`. */
  readonly verdicts: readonly Verdict[]
  /** The streams as the transaction leaves them. */
  readonly updates: readonly StreamUpdate[]
}

/**
 * Executes commands inside a transaction that is open. From the first append on it holds the store's lock, so that what is refused then
 * is decided again on states that stay. The ids of the commands differ.
 */
export const executeInTransaction = async (
  db: Query,
  commands: readonly CheckedCommand[],
  cached: (stream: string) => StreamEntry | undefined,
  now_ms: number,
): Promise<TransactionOutcome> => {
  const known = new Map<string, StreamEntry>()
  const distrusted = new Set<string>()
  const updates = new Map<string, StreamUpdate>()
  const verdicts = new Map<CheckedCommand, Verdict>()
  const attempts = new Map<CheckedCommand, number>()
  const lookUp = (stream: string) => known.get(stream) ?? (distrusted.has(stream) ? undefined : cached(stream))

  let waiting = commands
  while (waiting.length > 0) {
    const trip = waiting.slice(0, COMMANDS_PER_TRIP)
    await loadMissing(db, trip, lookUp, distrusted, known)
    const batch = new AppendBatch((stream, ref) => lookUp(stream) ?? emptyEntry(ref.type as AnyStreamType), now_ms)
    for (const command of trip) batch.decide(command)
    const outcome = batch.outcome(await batch.send(db))
    for (const update of outcome.updates) {
      updates.set(update.stream, update)
      if (update.entry) known.set(update.stream, update.entry)
      else {
        known.delete(update.stream)
        distrusted.add(update.stream)
      }
    }
    const again: CheckedCommand[] = []
    trip.forEach((command, at) => {
      const verdict = outcome.verdicts[at]
      if (verdict && verdict.kind !== 'refused') return void verdicts.set(command, verdict)
      const count = (attempts.get(command) ?? 0) + 1
      if (count >= MOST_ATTEMPTS) throw new StoreUnavailable('a command met changed streams although the store was locked')
      attempts.set(command, count)
      again.push(command)
    })
    waiting = [...again, ...waiting.slice(trip.length)]
  }
  return { verdicts: commands.map((command) => verdicts.get(command) ?? { kind: 'refused' }), updates: [...updates.values()] }
}

/**
 * The same, taking for certain that nothing has changed since the streams were cached and that no command was answered before: the append goes out
 * with the commit, and nobody waits for it while the store's lock is held. Where that does not hold, the transaction fails with `Conflict`,
 * once `onConflict` was told. Undefined where it cannot be taken for certain: a stream is not at hand, or a decision threw.
 */
export const presumeInTransaction = (
  db: Pick<PgTransaction, 'send'>,
  commands: readonly CheckedCommand[],
  cached: (stream: string) => StreamEntry | undefined,
  now_ms: number,
  onConflict: (streams: Iterable<string>) => void,
): TransactionOutcome | undefined => {
  if (commands.length > COMMANDS_PER_TRIP) return undefined
  const batch = new AppendBatch((stream, ref) => cached(stream) ?? emptyEntry(ref.type as AnyStreamType), now_ms)
  for (const command of commands) {
    for (const [stream, ref] of command.streams) if (!ref.fresh && !cached(stream)) return undefined
    batch.decide(command)
  }
  const outcome = batch.outcome([])
  if (outcome.verdicts.some(({ kind }) => kind !== 'written')) return undefined
  db.send(batch.queryOfAll(), (error) => {
    if (!isBrokenAssumption(error)) return error
    onConflict(batch.streams())
    return new Conflict('streams had changed, or a command had been answered before')
  })
  return outcome
}

const loadMissing = async (
  db: Query,
  trip: readonly CheckedCommand[],
  lookUp: (stream: string) => StreamEntry | undefined,
  distrusted: ReadonlySet<string>,
  known: Map<string, StreamEntry>,
): Promise<void> => {
  const missing = new Map<string, StreamRef>()
  for (const { streams } of trip)
    for (const [stream, ref] of streams) if (!lookUp(stream) && (!ref.fresh || distrusted.has(stream))) missing.set(stream, ref)
  if (missing.size === 0) return
  const { loaded, failed } = await loadStreams(
    db,
    [...missing].map(([stream, ref]) => ({ stream, ref })),
    true,
  )
  const [failure] = failed
  if (failure) throw failure[1]
  for (const [stream, { entry }] of loaded) known.set(stream, entry)
}
