import { classifyFailure } from '#postgres'
import { setImmediate as immediate } from 'node:timers/promises'
import type pg from 'pg'
import { ArchiveUnusable } from '../archive/archives.js'
import { AppendBatch, type BatchOutcome, type StreamUpdate, type Verdict } from './batch.js'
import { checkCommand, emptyEntry, type CheckedCommand, type StreamEntry } from './decide.js'
import { executeInTransaction } from './in-transaction.js'
import type { CoalescingLoader } from '../reading/loader.js'
import { retrying, type RetryPorts } from './retry.js'
import { OtherWriters } from './other-writers.js'
import type { StateCache } from './state-cache.js'
import { CommandIdReused, StoreOverloaded, StoreUnavailable, type Answered, type Command } from '../store.js'
import type { AnyStreamType } from '../stream.js'

const COMMANDS_PER_TRIP = 256
const BYTES_PER_TRIP = 4_194_304
/** While the database writes one batch the next is decided, on what that one will leave, and waits there for the store's lock. */
const TRIPS = 2
/** Fewer than these wait for the batch that is under way rather than take a commit of their own. */
const WORTH_A_TRIP = 16
/** A command refused this often by other writers is decided under the store's lock instead, where nobody can be faster. */
const OPTIMISTIC_ATTEMPTS = 3
const MOST_ATTEMPTS = 10
/** A command that could not be sent for this long is given up; nothing of it was written. */
const LONGEST_WAIT_MS = 10_000

interface Queued {
  readonly checked: CheckedCommand
  readonly since_ms: number
  attempts: number
  /** Its streams as loaded for it, used where the cache let go of them meanwhile. */
  loaded: ReadonlyMap<string, StreamEntry>
  readonly resolve: (answered: Answered) => void
  readonly reject: (error: unknown) => void
}

export interface BatchReport {
  readonly commands: number
  /** Of them, refused because another writer was faster, and decided again. */
  readonly refused: number
  readonly duration_ms: number
}

export interface CommandQueueOptions extends RetryPorts {
  /** Of the batches alone: one batch is under way at a time. */
  readonly pool: pg.Pool
  readonly types: ReadonlyMap<string, AnyStreamType>
  readonly cache: StateCache
  readonly loader: CoalescingLoader
  readonly maxQueued: number
  /** Called with what a committed batch changed. */
  readonly onCommitted: (updates: readonly StreamUpdate[]) => void
  readonly onBatch: (report: BatchReport) => void
}

/**
 * `execute`: commands gather while batches are under way, and go together when one is back; a lone command goes at once.
 */
export class CommandQueue {
  readonly #running = new Map<string, { readonly fingerprint: string; readonly answered: Promise<Answered> }>()
  #ready: Queued[] = []
  #pumping: Promise<void> | undefined
  /**
   * Batches that are decided and not answered, the newest first. Each knows what it will leave of its streams. One Map of all of them, filled and
   * emptied with every batch, kept batches alive until the next full collection: a table that V8's Map outgrew points to the one after it, and a dead
   * one that has grown old keeps all after it.
   */
  #decided: readonly AppendBatch[] = []
  #connection: Promise<pg.PoolClient> | undefined
  #closed = false
  /** One at a time after another writer was faster: what is decided ahead would build on what was refused. */
  #trips = TRIPS
  readonly #others: OtherWriters

  constructor(private readonly options: CommandQueueOptions) {
    this.#others = new OtherWriters(options.types, options.cache)
  }

  async execute(command: Command): Promise<Answered> {
    const running = this.#running.get(command.id)
    if (running) {
      if (running.fingerprint !== command.fingerprint) throw new CommandIdReused(command.id)
      return { answer: (await running.answered).answer, replayed: true }
    }
    if (this.#closed) throw new StoreUnavailable('the event store is closed')
    if (this.#running.size >= this.options.maxQueued) throw new StoreOverloaded(`${this.options.maxQueued} commands wait already`)
    const checked = checkCommand(command, this.options.types)
    const answered = new Promise<Answered>((resolve, reject) => {
      this.#admit([{ checked, since_ms: this.options.clock.now(), attempts: 0, loaded: new Map(), resolve, reject }])
    })
    this.#running.set(command.id, { fingerprint: command.fingerprint, answered })
    try {
      return await answered
    } finally {
      this.#running.delete(command.id)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([...this.#running.values()].map(({ answered }) => answered))
    await this.#pumping
  }

  /** Those whose streams are at hand go to the queue, the others once they are loaded. Refused commands go before new ones. */
  #admit(commands: readonly Queued[], first = false): void {
    const ready: Queued[] = []
    for (const queued of commands) {
      const missing = [...queued.checked.streams].filter(
        ([stream, ref]) => !this.options.cache.get(stream) && !queued.loaded.has(stream) && !(ref.fresh && queued.attempts === 0),
      )
      if (missing.length === 0) ready.push(queued)
      else void this.#load(queued, missing)
    }
    if (ready.length === 0) return
    if (first) this.#ready = [...ready, ...this.#ready]
    else this.#ready.push(...ready)
    this.#pumping ??= this.#pump()
  }

  async #load(queued: Queued, missing: readonly (readonly [string, CheckedCommand['command']['streams'][number]])[]): Promise<void> {
    try {
      const loaded = await Promise.all(
        missing.map(async ([stream, ref]) => [stream, (await this.options.loader.need({ stream, ref })).entry] as const),
      )
      queued.loaded = new Map([...queued.loaded, ...loaded])
      this.#admit([queued])
    } catch (error) {
      queued.reject(error)
    }
  }

  async #pump(): Promise<void> {
    const underWay = new Map<Promise<void>, number>()
    try {
      // A lone command does not wait, nor does what came in the same moment.
      await Promise.resolve()
      while (this.#ready.length > 0 || underWay.size > 0) {
        const sent = [...underWay.values()].reduce((sum, count) => sum + count, 0)
        const most = Math.min(COMMANDS_PER_TRIP, Math.max(WORTH_A_TRIP, Math.ceil((sent + this.#ready.length) / this.#trips)))
        const isWorthIt = underWay.size === 0 ? this.#ready.length > 0 : underWay.size < this.#trips && this.#ready.length >= WORTH_A_TRIP
        if (isWorthIt) {
          const taken = this.#ready.slice(0, most)
          this.#ready = this.#ready.slice(taken.length)
          const trip = this.#run(this.#withoutLate(taken)).finally(() => underWay.delete(trip))
          underWay.set(trip, taken.length)
        } else {
          await Promise.race(underWay.keys())
          // Who was answered together comes again together, in one turn of the event loop.
          if (sent > 1 || this.#ready.length > 0) await immediate()
        }
      }
    } finally {
      if (this.#connection && this.#ready.length === 0) await this.#letGo(this.#connection, false)
      this.#pumping = this.#ready.length > 0 ? this.#pump() : undefined
    }
  }

  #withoutLate(taken: readonly Queued[]): readonly Queued[] {
    const late = this.options.clock.now() - LONGEST_WAIT_MS
    return taken.filter((queued) => {
      if (queued.since_ms >= late) return true
      queued.reject(new StoreUnavailable('the command waited too long'))
      return false
    })
  }

  async #run(taken: readonly Queued[]): Promise<void> {
    const optimistic = taken.filter(({ attempts }) => attempts < OPTIMISTIC_ATTEMPTS)
    const beaten = taken.filter(({ attempts }) => attempts >= OPTIMISTIC_ATTEMPTS)
    if (beaten.length > 0) await this.#send(beaten, () => this.#sendLocked(beaten))
    if (optimistic.length > 0) await this.#send(optimistic, () => this.#sendOptimistic(optimistic))
  }

  async #send(sent: readonly Queued[], trip: () => Promise<void>): Promise<void> {
    try {
      await trip()
    } catch (error) {
      // Whether it was written is not known, so neither is what the cache should hold.
      for (const { checked } of sent) for (const stream of checked.streams.keys()) this.options.cache.drop(stream)
      const ofOne = error instanceof ArchiveUnusable || (!(error instanceof StoreUnavailable) && classifyFailure(error) === 'bug')
      if (sent.length === 1 || !ofOne) {
        for (const { reject } of sent) reject(error)
        return
      }
      // One of them breaks the statement, or needs what is away: alone, it fails alone.
      for (const queued of sent) await this.#send([queued], () => this.#sendOptimistic([queued]))
    }
  }

  /** What does not fit is taken out of `sent`, and waits for the next trip: what comes of this one is not its. */
  async #sendOptimistic(sent: Queued[]): Promise<void> {
    const { clock, cache } = this.options
    const started_ms = clock.now()
    const batch = new AppendBatch((stream, ref) => {
      for (const before of this.#decided) {
        const left = before.presumed(stream)
        if (left) return left
      }
      const kept = cache.get(stream) ?? sent.find(({ loaded }) => loaded.has(stream))?.loaded.get(stream)
      return kept ?? emptyEntry(ref.type as AnyStreamType)
    }, started_ms)
    for (const { checked } of sent) {
      if (batch.bytes > BYTES_PER_TRIP) break
      batch.decide(checked)
    }
    // Until this one has come to its end, what comes after it builds on what it will leave. Should it fail, that one finds the streams changed.
    this.#decided = [batch, ...this.#decided]
    this.#ready = [...sent.splice(batch.length), ...this.#ready]
    let retried = false
    let brought: Promise<void> | undefined
    try {
      const rows = await retrying(this.options, (attempt) => {
        retried = attempt > 0
        if (batch.length === 1) return batch.send(this.options.pool)
        return this.#inOrder((client) => {
          const written = batch.send(client)
          brought = this.#others.bring(client, batch.streams())
          return written
        })
      })
      this.#settle(sent, batch.outcome(rows), retried, started_ms)
      await brought
    } finally {
      this.#decided = this.#decided.filter((each) => each !== batch)
    }
  }

  /** All over one connection, so that batches arrive in the order in which they were decided. It is kept while they follow one another. */
  async #inOrder<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const connection = (this.#connection ??= this.options.pool.connect())
    try {
      return await work(await connection)
    } catch (error) {
      if (classifyFailure(error) !== 'bug') await this.#letGo(connection, true)
      throw error
    }
  }

  async #letGo(connection: Promise<pg.PoolClient> | undefined, isBroken: boolean): Promise<void> {
    if (!connection || this.#connection !== connection) return
    this.#connection = undefined
    await connection.then(
      (client) => client.release(isBroken),
      () => undefined,
    )
  }

  /** The same inside a transaction that holds the lock from its first append to its commit. */
  async #sendLocked(sent: readonly Queued[]): Promise<void> {
    const { clock, cache, pool } = this.options
    const started_ms = clock.now()
    const commands = sent.map(({ checked }) => checked)
    let retried = false
    const outcome = await retrying(this.options, async (attempt) => {
      retried = attempt > 0
      const client = await pool.connect()
      let broken: Error | undefined
      try {
        await client.query('BEGIN')
        const done = await executeInTransaction(client, commands, (stream) => cache.get(stream), started_ms)
        await client.query('COMMIT')
        return done
      } catch (error) {
        await client.query('ROLLBACK').catch((failure: Error) => (broken = failure))
        throw error
      } finally {
        client.release(broken)
      }
    })
    this.#settle(sent, outcome, retried, started_ms)
  }

  #settle(sent: readonly Queued[], { verdicts, updates }: BatchOutcome, retried: boolean, started_ms: number): void {
    const { cache } = this.options
    for (const { stream, entry, base, grown_bytes } of updates) {
      if (entry) cache.put(stream, entry, grown_bytes)
      // It may have been put right meanwhile.
      else if (cache.get(stream)?.head.equals(base.head)) cache.drop(stream)
    }
    const again: Queued[] = []
    sent.forEach((queued, at) => {
      const verdict = verdicts[at] ?? { kind: 'refused' }
      if (verdict.kind !== 'refused') return answer(queued, verdict, retried)
      queued.attempts++
      queued.loaded = new Map(
        updates.flatMap(({ stream, entry }) => (entry && queued.checked.streams.has(stream) ? [[stream, entry]] : [])),
      )
      if (queued.attempts < MOST_ATTEMPTS) again.push(queued)
      else queued.reject(new StoreUnavailable('other writers were faster each time'))
    })
    this.#trips = again.length > 0 ? 1 : TRIPS
    this.#others.met(sent.length, again.length)
    this.options.onCommitted(updates)
    this.options.onBatch({ commands: sent.length, refused: again.length, duration_ms: this.options.clock.now() - started_ms })
    if (again.length > 0) this.#admit(again, true)
  }
}

const answer = ({ checked, resolve, reject }: Queued, verdict: Exclude<Verdict, { kind: 'refused' }>, retried: boolean): void => {
  if (verdict.kind === 'threw') return reject(verdict.error)
  if (verdict.kind === 'written') return resolve({ answer: verdict.answer, replayed: false })
  if (verdict.fingerprint !== checked.command.fingerprint) return reject(new CommandIdReused(checked.command.id))
  resolve({ answer: verdict.answer, replayed: !(retried && verdict.asDecided) })
}
