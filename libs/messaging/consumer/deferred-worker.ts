import { DEAD_LETTERS } from '#contracts'
import type { Clock } from '#kernel'
import { backoff_ms } from '../backoff.js'
import { PartlyFailed, type BatchHandler, type LogProducer, type TopicPartition } from '../log.js'
import { Wakeup } from '../wakeup.js'
import { changeRecord } from './dead-letters.js'
import { reportOf } from './failure-report.js'
import { letterId } from './letter-id.js'
import type { PartitionConsumer, PartitionOptions } from './partition.js'
import type { DeferredMessage } from './store.js'
import { traceBatch, type TracedBatch } from './traced.js'

/** What happens to later messages of a parked one's key: they go on, or wait until it is redriven. */
export type ParkedKeyPolicy = 'go-on' | 'hold'

export interface DeferredWorkerOptions extends Omit<PartitionOptions, 'handler' | 'onAside' | 'logOf'> {
  readonly handlerOf: (topic: string) => BatchHandler | undefined
  readonly policyOf: (topic: string) => ParkedKeyPolicy
  readonly maxAttempts: number
  readonly partitions: () => readonly PartitionConsumer[]
  readonly producer: () => Promise<LogProducer>
  /** The slow look behind what this process itself deferred: for what others redrove. */
  readonly poll_ms: number
}

/** A held message waits for its redrive: the year 2255. */
const NEVER_MS = 9_000_000_000_000
const AT_ONCE = 64

class Gone extends Error {}

/** Retries deferred keys of the assigned partitions, each in order, parks what keeps failing, and tells of it in the dead-letter topic. */
export class DeferredWorker {
  readonly #wakeup = new Wakeup()
  readonly #stopping = new AbortController()
  readonly #clock: Clock
  #running: Promise<void> | undefined

  constructor(private readonly options: DeferredWorkerOptions) {
    this.#clock = options.clock
  }

  start(): void {
    this.#running ??= this.#run()
  }

  look(): void {
    this.#wakeup.ring()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the consumer closes'))
    await this.#running
  }

  /** One round: everything that is due now. Answers whether there was anything. */
  async work(): Promise<boolean> {
    const { consumerStore, group } = this.options
    const partitions = this.options.partitions()
    for (const partition of partitions) await partition.store()
    const due = partitions.length === 0 ? [] : await consumerStore.due(group, places(partitions), this.#clock.now(), AT_ONCE)
    for (const message of due) {
      if (this.#stopping.signal.aborted) return false
      const ofTopic = partitions.filter(({ place }) => place.topic === message.record.topic)
      const partition =
        ofTopic.find(({ place }) => place.partition === message.record.partition) ?? ofTopic.find(({ place }) => place.partition === 0)
      if (partition) await this.#retry(message, partition)
    }
    const published = await this.#publish()
    return due.length > 0 || published
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      const since = this.#wakeup.since()
      let pause_ms = this.options.poll_ms
      try {
        if (await this.work()) continue
        failures = 0
        pause_ms = await this.#untilNext()
      } catch (error) {
        this.options.listener?.onError?.(error)
        pause_ms = backoff_ms(++failures, this.options.random)
      }
      await this.#wakeup.wait(this.#clock, pause_ms, this.#stopping.signal, since)
    }
  }

  async #untilNext(): Promise<number> {
    const partitions = this.options.partitions()
    const next = partitions.length === 0 ? undefined : await this.options.consumerStore.nextDue(this.options.group, places(partitions))
    return next === undefined ? this.options.poll_ms : Math.min(this.options.poll_ms, Math.max(1, next - this.#clock.now()))
  }

  async #retry(deferred: DeferredMessage, partition: PartitionConsumer): Promise<void> {
    const { consumerStore: store, group, transactions, tracing } = this.options
    const { record } = deferred
    const version = partition.version(record.key)
    let batch: TracedBatch | undefined
    try {
      if (this.options.prepare) await this.options.prepare([record])
      batch = traceBatch(tracing, group, [this.options.decode(record)])
      const effect = await this.options.handlerOf(record.topic)?.(batch.messages)
      if (!effect) throw new Error(`no handler of ${record.topic}`)
      const waits = await transactions.run(async (tx) => {
        if (!(await store.settle(tx, group, record, this.#clock.now()))) throw new Gone()
        await effect(tx)
        return store.waits(tx, group, partition.place, record.key)
      })
      batch.end()
      if (!waits) partition.release(record.key, version)
    } catch (thrown) {
      if (thrown instanceof Gone) return
      batch?.end(thrown)
      const error = thrown instanceof PartlyFailed ? thrown.failures[0]?.error : thrown
      if (this.options.isTransient(error)) return await this.#postpone(deferred, deferred.attempts)
      await this.#failed(deferred, partition, version, error)
    }
  }

  async #failed(deferred: DeferredMessage, partition: PartitionConsumer, version: number, error: unknown): Promise<void> {
    const { consumerStore: store, group, transactions, listener } = this.options
    const { record } = deferred
    const attempts = deferred.attempts + 1
    const failure = reportOf(error)
    if (attempts < this.options.maxAttempts) return await this.#postpone({ ...deferred, failure }, attempts)
    const letter = { id: letterId(group, record), record, attempts, failure, parkedAt_ms: this.#clock.now() }
    const hold = this.options.policyOf(record.topic) === 'hold'
    const waits = await transactions.run(async (tx) => {
      const there = hold
        ? await store.postpone(tx, group, { ...deferred, attempts, failure, due_ms: NEVER_MS })
        : await store.settle(tx, group, record, letter.parkedAt_ms)
      if (there) await store.park(tx, group, [letter])
      return hold || !there || (await store.waits(tx, group, partition.place, record.key))
    })
    if (!waits) partition.release(record.key, version)
    const { traceparent } = record.headers
    listener?.onParked?.({ id: letter.id, partition: partition.place, attempts, errorClass: failure.errorClass, traceparent })
  }

  async #postpone(deferred: DeferredMessage, attempts: number): Promise<void> {
    const { consumerStore, group, random, firstRetry_ms, mostRetry_ms, transactions } = this.options
    const due_ms = this.#clock.now() + backoff_ms(Math.max(1, attempts), random, firstRetry_ms, mostRetry_ms)
    await transactions.run(async (tx) => void (await consumerStore.postpone(tx, group, { ...deferred, attempts, due_ms })))
  }

  /** After the commit, so perhaps twice: readers know a dead letter by its id. */
  async #publish(): Promise<boolean> {
    const { consumerStore, group, log } = this.options
    const changes = await consumerStore.unpublished(group, AT_ONCE, log)
    if (changes.length === 0) return false
    // Of a letter about letters nothing is told, or one that cannot be read would be the subject of the next, without end.
    const told = changes.filter(({ letter }) => letter.record.topic !== DEAD_LETTERS)
    if (told.length > 0) {
      const producer = await this.options.producer()
      await producer.send(told.map((change) => changeRecord(group, change)))
    }
    await consumerStore.published(group, changes, log)
    return true
  }
}

const places = (partitions: readonly PartitionConsumer[]): readonly TopicPartition[] => partitions.map(({ place }) => place)
