import { systemRandom, type Clock, type Random, type Transaction } from '#kernel'
import type { Tracing } from '#tracing'
import { asPg, createPool, type PostgresConfig } from '#postgres'
import type pg from 'pg'
import type { StreamUpdate } from './append/batch.js'
import { CommandQueue, type BatchReport } from './append/command-queue.js'
import { checkCommand } from './append/decide.js'
import { executeInTransaction, presumeInTransaction } from './append/in-transaction.js'
import { CoalescingLoader, loadStreams, type WantedStream } from './reading/loader.js'
import { sweepRegularly } from './maintenance.js'
import { pgOutbox } from './relay/pg-outbox.js'
import { pgEvents } from './reading/reader.js'
import { retrying } from './append/retry.js'
import { Snapshotter } from './reading/snapshots.js'
import { StateCache } from './append/state-cache.js'
import {
  CommandIdReused,
  type Answered,
  type Command,
  type EventStore,
  type Publisher,
  type ReadAll,
  type ReadStream,
  type StreamRef,
  type StreamState,
} from './store.js'
import { traceCommands } from './append/traced.js'
import { registeredRef, streamName, typesByCategory, type AnyStreamType } from './stream.js'

/** What cached states may take at most. */
const CACHE_BYTES = 64 * 1024 * 1024

export interface EventStoreOptions {
  /** For reads, snapshots, the outbox and upkeep. The batches and their loads have three connections of their own. */
  readonly pool: pg.Pool
  readonly postgres: PostgresConfig
  readonly types: readonly AnyStreamType[]
  readonly publish: Publisher
  readonly clock: Clock
  /** Names the connections in `pg_stat_activity`. */
  readonly app: string
  readonly random?: Random
  /** Commands under way at once, the rest is `StoreOverloaded`. 10,000 unless told. */
  readonly maxQueued?: number
  /** How long a command's answer is kept: 48 h unless told, and never under 24 h, which clients are promised. */
  readonly commandRetention_ms?: number
  /** How long between two sweeps of answers that expired and messages that were published; 30 s unless told. */
  readonly sweepEvery_ms?: number
  /** How long a command whose database is away is tried again, before the caller hears of it; 2 s unless told. */
  readonly retryFor_ms?: number
  /** Where spans are kept: one for each command. */
  readonly tracing?: Tracing | undefined
  /** For metrics. */
  readonly onBatch?: (report: BatchReport) => void
  /** Faults of what runs beside the requests: snapshots, sweeps. They are tried again by themselves. */
  readonly onBackgroundError?: (error: unknown) => void
}

const HOUR_MS = 3_600_000

/** Opens an app's event store. Its migrations have run. */
export const openEventStore = async (options: EventStoreOptions): Promise<EventStore> => {
  const { rows } = await options.pool.query<{ incarnation: string }>('SELECT incarnation FROM store')
  const incarnation = rows[0]?.incarnation
  if (!incarnation) throw new Error('the store table is empty')
  return new PgEventStore(options, incarnation)
}

class PgEventStore implements EventStore {
  readonly outbox
  readonly #types
  readonly #events
  readonly #cache
  readonly #batchPool
  readonly #queue
  readonly #snapshots
  readonly #sweeps
  readonly #retry

  constructor(
    private readonly options: EventStoreOptions,
    readonly incarnation: string,
  ) {
    const { pool, postgres, clock, app, publish, random = systemRandom } = options
    const onError = options.onBackgroundError ?? (() => undefined)
    this.#types = typesByCategory(options.types)
    this.#events = pgEvents(pool, this.#types, clock)
    this.#cache = new StateCache(CACHE_BYTES, clock)
    this.#batchPool = createPool({ ...postgres, applicationName: `${app}-commands`, maxConnections: 3 })
    this.#snapshots = new Snapshotter(pool, (stream, version) => this.#cache.snapshotTaken(stream, version), onError)
    this.#retry = { clock, random, retryFor_ms: options.retryFor_ms ?? 2_000 }
    this.#queue = new CommandQueue({
      ...this.#retry,
      pool: this.#batchPool,
      types: this.#types,
      cache: this.#cache,
      loader: new CoalescingLoader((wanted) => this.#loadIntoCache(wanted, this.#batchPool)),
      maxQueued: options.maxQueued ?? 10_000,
      onCommitted: (updates) => {
        this.outbox.ring()
        this.#requestSnapshots(updates)
      },
      onBatch: options.onBatch ?? (() => undefined),
    })
    this.outbox = pgOutbox({ pool, postgres, incarnation, types: this.#types, publish, clock })
    this.#sweeps = sweepRegularly(pool, clock, {
      cache: this.#cache,
      retention_ms: Math.max(options.commandRetention_ms ?? 48 * HOUR_MS, 24 * HOUR_MS),
      every_ms: options.sweepEvery_ms ?? 30_000,
      onError,
    })
  }

  async execute(command: Command): Promise<Answered> {
    if (!this.options.tracing) return this.#queue.execute(command)
    const [answered] = await traceCommands(this.options.tracing, [command], ([traced = command]) =>
      this.#queue.execute(traced).then((each) => [each]),
    )
    if (!answered) throw new Error('a command was left without an answer')
    return answered
  }

  executeAll(commands: readonly Command[], tx: Transaction): Promise<readonly Answered[]> {
    return traceCommands(this.options.tracing, commands, (traced) => this.#executeAll(traced, tx))
  }

  async #executeAll(commands: readonly Command[], tx: Transaction): Promise<readonly Answered[]> {
    const distinct = new Map<string, Command>()
    for (const command of commands) {
      const first = distinct.get(command.id) ?? command
      if (first.fingerprint !== command.fingerprint) throw new CommandIdReused(command.id)
      distinct.set(command.id, first)
    }
    const checked = [...distinct.values()].map((command) => checkCommand(command, this.#types))
    const db = asPg(tx)
    const now_ms = this.options.clock.now()
    const cached = (stream: string) => this.#cache.get(stream)
    const forget = (streams: Iterable<string>) => {
      for (const stream of streams) this.#cache.drop(stream)
    }
    const presumed = db.optimistic ? presumeInTransaction(db, checked, cached, now_ms, forget) : undefined
    const outcome = presumed ?? (await executeInTransaction(db, checked, cached, now_ms))
    const answers = new Map<string, Answered>()
    checked.forEach(({ command }, at) => {
      const verdict = outcome.verdicts[at]
      if (verdict?.kind === 'threw') throw verdict.error
      if (verdict?.kind === 'written') answers.set(command.id, { answer: verdict.answer, replayed: false })
      if (verdict?.kind !== 'repeated') return
      if (verdict.fingerprint !== command.fingerprint) throw new CommandIdReused(command.id)
      answers.set(command.id, { answer: verdict.answer, replayed: true })
    })
    db.onCommit(() => this.outbox.ring())
    // Not committed yet, and perhaps never: who appends after it is guarded by its head hash, and no other history has that.
    this.#remember(outcome.updates)
    this.#requestSnapshots(outcome.updates)
    return commands.map((command) => {
      const answered = answers.get(command.id)
      if (!answered) throw new Error('a command was left without an answer')
      return distinct.get(command.id) === command ? answered : { ...answered, replayed: true }
    })
  }

  async load<State>(named: StreamRef<State>): Promise<StreamState<State>> {
    const ref = registeredRef(this.#types, named)
    const stream = streamName(ref)
    const { loaded, failed } = await this.#loadIntoCache([{ stream, ref, have: this.#cache.get(stream) }], this.options.pool)
    if (failed.has(stream)) throw failed.get(stream)
    const entry = loaded.get(stream)?.entry
    return { version: entry?.version ?? 0, state: (entry ? entry.state : ref.type.initialState) as State }
  }

  loadAt<State>(ref: StreamRef<State>, at: { readonly version: number } | { readonly time: number }): Promise<StreamState<State>> {
    return this.#events.loadAt(ref, at)
  }

  readStream(stream: string, options?: ReadStream) {
    return this.#events.readStream(stream, options)
  }

  readAll(options?: ReadAll) {
    return this.#events.readAll(options)
  }

  verify(stream: string) {
    return this.#events.verify(stream)
  }

  async close(): Promise<void> {
    await this.#queue.close()
    await this.#sweeps.stop()
    await this.#snapshots.idle()
    await this.#batchPool.end()
  }

  async #loadIntoCache(wanted: readonly WantedStream[], pool: pg.Pool) {
    const loaded = await retrying(this.#retry, () => loadStreams(pool, wanted))
    for (const { stream, ref } of wanted) {
      const found = loaded.loaded.get(stream)
      if (!found || found.entry.version === 0) continue
      this.#cache.put(stream, found.entry, 0, found.snapshotVersion || undefined)
      if (found.foldedEvents > 0) this.#requestSnapshots([{ stream, ref, entry: found.entry }])
    }
    return loaded
  }

  #remember(updates: readonly StreamUpdate[]): void {
    for (const { stream, entry, grown_bytes } of updates) {
      if (entry) this.#cache.put(stream, entry, grown_bytes)
      else this.#cache.drop(stream)
    }
  }

  #requestSnapshots(updates: readonly Pick<StreamUpdate, 'stream' | 'ref' | 'entry'>[]): void {
    for (const { stream, ref, entry } of updates) {
      const every = ref.type.snapshotEvery
      if (!entry || every <= 0) continue
      if (entry.version - (this.#cache.get(stream)?.snapshotVersion ?? 0) >= every) this.#snapshots.request(stream, ref, entry)
    }
  }
}
