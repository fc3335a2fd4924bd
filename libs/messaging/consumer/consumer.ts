import { REDRIVES } from '#contracts'
import { systemClock, systemRandom, type Clock, type IncomingMessage, type Random, type Transactions } from '#kernel'
import type { Tracing } from '#tracing'
import { decodeMessage, decodePlain } from '../cloud-events.js'
import { FenceLost, isTransient, UnknownVersion } from '../failure.js'
import {
  partitionName,
  type BatchHandler,
  type LogConsumer,
  type LogDriver,
  type LogProducer,
  type PartitionOffsets,
  type Standing,
  type StoredRecord,
  type TopicPartition,
} from '../log.js'
import { ConsumptionBreaker } from './breaker.js'
import { messagingTopics } from './dead-letters.js'
import { DeferredWorker, type ParkedKeyPolicy } from './deferred-worker.js'
import type { ConsumerListener } from './listener.js'
import { LogGap } from './log-gap.js'
import { PartitionConsumer } from './partition.js'
import { Standings } from './standings.js'
import type { ConsumerStore } from './store.js'
import { inTraceOf } from './traced.js'

export interface ConsumerOptions {
  readonly driver: LogDriver
  /** By convention the app's name. */
  readonly group: string
  /** The consumer's own database, which `consumerStore` writes to too. */
  readonly transactions: Transactions
  readonly consumerStore: ConsumerStore
  readonly clock?: Clock
  readonly random?: Random
  readonly listener?: ConsumerListener
  /** Messages a batch at most; 256. */
  readonly maxBatch?: number
  /** Tries of a message before it is parked, the first included; 8. */
  readonly maxAttempts?: number
  /** Pause after the first failure (500 ms), doubled up to the most (60 s). */
  readonly firstRetry_ms?: number
  readonly mostRetry_ms?: number
  /** Per topic; `go-on` where nothing is said. */
  readonly parkedKeys?: Readonly<Record<string, ParkedKeyPolicy>>
  /** Which failures mean that the same batch may succeed later; `isTransient`. */
  readonly isTransient?: (error: unknown) => boolean
  /** How often to look for what other processes redrove; 5 s. */
  readonly deferredPoll_ms?: number
  /** What this process can read. A message of one of these types in another version is put aside, until a process comes that knows it. */
  readonly contracts?: readonly { readonly topic: string; readonly type: string; readonly version: number }[]
  /**
   * Topics that others write to without CloudEvents attributes, as Nest's own `ClientKafka` does: such a record's type is its topic. On any other
   * topic it is no message, and parked.
   */
  readonly plainTopics?: readonly string[]
  /** How often to tell the log where this member stands; never unless given. */
  readonly tell_ms?: number
  /** Where spans are kept. */
  readonly tracing?: Tracing | undefined
}

const CLOSE_MS = 10_000

/**
 * A consumer group's member: at-least-once delivery, exactly-once effect. Runs without Nest; `LogServer` is this behind Nest's decorators.
 */
export class Consumer {
  readonly #partitions = new Map<string, PartitionConsumer>()
  readonly #worker: DeferredWorker
  readonly #clock: Clock
  #consumer: LogConsumer | undefined
  #producer: Promise<LogProducer> | undefined
  readonly #gaps = new Map<string, LogGap>()
  #elsewhere = false
  /** What was told of a gap, until its partition is read on: one that is taken away and given back still has the same. */
  readonly #toldGaps = new Map<string, string>()
  readonly #standings: Standings
  readonly #versions = new Map<string, Set<number>>()
  /** Seeks of a topic's partitions that come together ask the log once: whoever asks is answered by what was asked after that. */
  readonly #asked = new Map<string, Promise<readonly PartitionOffsets[]>>()
  readonly #breakers = new Map<string, ConsumptionBreaker>()
  readonly #closing = new AbortController()

  constructor(
    private readonly options: ConsumerOptions,
    private readonly handlers: ReadonlyMap<string, BatchHandler>,
  ) {
    this.#clock = options.clock ?? systemClock
    for (const { topic, type, version } of options.contracts ?? []) {
      const name = `${topic} ${type}`
      this.#versions.set(name, (this.#versions.get(name) ?? new Set()).add(version))
    }
    this.#standings = new Standings({ ...this.#shared(), driver: options.driver })
    this.#worker = new DeferredWorker({
      ...this.#shared(),
      handlerOf: (topic) => this.#handlerOf(topic),
      policyOf: (topic) => options.parkedKeys?.[topic] ?? 'go-on',
      maxAttempts: options.maxAttempts ?? 8,
      partitions: () => [...this.#partitions.values()],
      breakerOf: (place) => this.#breaker(place),
      producer: () => this.#sender(),
      poll_ms: options.deferredPoll_ms ?? 5_000,
    })
  }

  async start(): Promise<void> {
    const { driver, group } = this.options
    await driver.ensureTopics(messagingTopics)
    await this.#findPlace()
    this.#consumer = await driver.consume({
      group,
      topics: [...this.handlers.keys(), REDRIVES],
      maxBatch: this.options.maxBatch ?? 256,
      startOffset: (place) => this.#seek(place),
      ready: (place, signal) => this.#breaker(place).ready(signal),
      onBatch: (place, records, signal) => this.#handle(place, records, signal),
      onRevoked: (place) => this.#revoked(place),
    })
    this.#worker.start()
    if (this.options.tell_ms !== undefined) void this.#keepTelling(this.options.tell_ms)
  }

  /** Whether it is alive, and no partition stands because its place is not in the log. Not whether it has anything to do. */
  healthy(): boolean {
    return (this.#consumer?.healthy() ?? false) && this.#gaps.size === 0
  }

  /**
   * Whether its group's place is in another log than the one it is set to: it has nothing to do here before the system is moved, or any more.
   * As of its start, and of each time that it told where it stands.
   */
  isElsewhere(): boolean {
    return this.#elsewhere
  }

  /** Where each partition of this process stands, as of now. */
  standings(): Promise<readonly Standing[]> {
    return this.#standings.of([...this.#partitions.values()], this.#gaps, (place) => this.#breaker(place).state)
  }

  assignment(): readonly TopicPartition[] {
    return this.#consumer?.assignment() ?? []
  }

  pause(partition: TopicPartition): void {
    this.#consumer?.pause(partition)
  }

  resume(partition: TopicPartition): void {
    this.#consumer?.resume(partition)
  }

  /** Puts a dead letter of this group back. False: unknown, or put back already and not parked again since. */
  async redrive(id: string, by: string): Promise<boolean> {
    const { transactions, consumerStore, group } = this.options
    const done = await transactions.run((tx) => consumerStore.redrive(tx, group, id, { by, at_ms: this.#clock.now() }))
    if (done) this.#worker.look()
    return done
  }

  /** Ends the batches under way, and the messages that are tried again, then leaves; past `timeout_ms`, 10 s unless given, it leaves anyway. */
  async close(timeout_ms = CLOSE_MS): Promise<void> {
    this.#closing.abort(new Error('the consumer closes'))
    const stopped = new AbortController()
    const late = this.#clock.sleep(timeout_ms, stopped.signal).catch(() => undefined)
    try {
      await Promise.all([this.#consumer?.close(timeout_ms), Promise.race([this.#worker.stop(), late])])
    } finally {
      stopped.abort()
    }
    await (await this.#producer)?.close()
    this.#partitions.clear()
  }

  async #seek(place: TopicPartition): Promise<bigint> {
    const name = partitionName(place)
    try {
      const next = await this.#partition(place).seek(await this.#logOf(place))
      this.#gaps.delete(name)
      this.#toldGaps.delete(name)
      return next
    } catch (error) {
      if (error instanceof LogGap) {
        if (this.#toldGaps.get(name) !== error.message) this.options.listener?.onLogGap?.(error)
        this.#toldGaps.set(name, error.message)
        this.#gaps.set(name, error)
      } else this.options.listener?.onError?.(error)
      throw error
    }
  }

  /** A partition that the log does not show yet has nothing in it. */
  async #logOf({ topic, partition }: TopicPartition): Promise<Pick<PartitionOffsets, 'first' | 'next'>> {
    let asked = this.#asked.get(topic)
    if (!asked) {
      asked = Promise.resolve().then(() => {
        this.#asked.delete(topic)
        return this.options.driver.offsets(topic)
      })
      this.#asked.set(topic, asked)
    }
    return (await asked).find((each) => each.partition === partition) ?? { first: 0n, next: 0n }
  }

  async #handle(place: TopicPartition, records: readonly StoredRecord[], signal: AbortSignal): Promise<void> {
    const ended = this.#breaker(place).begin()
    try {
      // What was read before says nothing of what the handler needs.
      ended((await this.#partition(place).handle(records, signal)) ? 'succeeded' : 'unknown')
    } catch (error) {
      const away = !signal.aborted && !(error instanceof FenceLost) && (this.options.isTransient ?? isTransient)(error)
      ended(away ? 'failed' : 'unknown')
      throw error
    }
  }

  #breaker({ topic }: TopicPartition): ConsumptionBreaker {
    let breaker = this.#breakers.get(topic)
    if (!breaker) {
      breaker = new ConsumptionBreaker(this.#clock, this.options.random ?? systemRandom, (state) => {
        this.options.listener?.onBreaker?.({ topic, state })
        if (state === 'closed') this.#worker.look()
      })
      this.#breakers.set(topic, breaker)
    }
    return breaker
  }

  #revoked(place: TopicPartition): void {
    this.#partitions.delete(partitionName(place))
    this.#gaps.delete(partitionName(place))
    this.#standings.forget(place)
  }

  async #keepTelling(every_ms: number): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.#findPlace()
        await this.#consumer?.tell(await this.standings())
      } catch {
        // A hint: the next one tells it. That the log or the database is away is told by what needs it.
      }
      await this.#clock.sleep(every_ms, signal).catch(() => undefined)
    }
  }

  async #findPlace(): Promise<void> {
    const { consumerStore, driver, group } = this.options
    this.#elsewhere = (await consumerStore.places(group)).some(({ log }) => log !== undefined && log !== driver.name)
  }

  #partition(place: TopicPartition): PartitionConsumer {
    const name = partitionName(place)
    let partition = this.#partitions.get(name)
    if (!partition) {
      const handler = this.#handlerOf(place.topic)
      if (!handler) throw new Error(`no handler of ${place.topic}`)
      partition = new PartitionConsumer(place, {
        ...this.#shared(),
        handler,
        logOf: (which) => this.#logOf(which),
        onAside: () => this.#worker.look(),
      })
      this.#partitions.set(name, partition)
    }
    return partition
  }

  #handlerOf(topic: string): BatchHandler | undefined {
    if (topic === REDRIVES) return this.#redrives
    const handler = this.handlers.get(topic)
    return handler && ((messages, signal) => (this.#expectKnownVersions(messages), inTraceOf(messages, () => handler(messages, signal))))
  }

  /** A newer minor version only has fields that are passed over, and the same number; another number is another shape. */
  #expectKnownVersions(messages: readonly IncomingMessage[]): void {
    for (const { topic, type, schemaVersion } of messages) {
      const known = this.#versions.get(`${topic} ${type}`)
      if (known && !known.has(schemaVersion)) throw new UnknownVersion(type, schemaVersion)
    }
  }

  /** Every group reads every request and acts on its own. */
  readonly #redrives: BatchHandler = (messages) =>
    Promise.resolve(async (tx) => {
      const { consumerStore, group } = this.options
      const at_ms = this.#clock.now()
      for (const { data, source } of messages) {
        const { id, by } = data
        if (typeof id === 'string') await consumerStore.redrive(tx, group, id, { by: typeof by === 'string' ? by : source, at_ms })
      }
      this.#worker.look()
    })

  #sender(): Promise<LogProducer> {
    this.#producer ??= this.options.driver.producer().catch((error: unknown) => {
      this.#producer = undefined
      throw error
    })
    return this.#producer
  }

  #shared() {
    const { options } = this
    const plain = new Set(options.plainTopics)
    const { values } = options.driver
    return {
      prepare: values && ((records: readonly StoredRecord[]) => values.prepare(records)),
      decode: (record: StoredRecord) => (plain.has(record.topic) ? decodePlain : decodeMessage)(values?.decode(record) ?? record),
      group: options.group,
      log: options.driver.name,
      transactions: options.transactions,
      consumerStore: options.consumerStore,
      clock: options.clock ?? systemClock,
      random: options.random ?? systemRandom,
      isTransient: options.isTransient ?? isTransient,
      firstRetry_ms: options.firstRetry_ms ?? 500,
      mostRetry_ms: options.mostRetry_ms ?? 60_000,
      listener: options.listener,
      tracing: options.tracing,
    }
  }
}
