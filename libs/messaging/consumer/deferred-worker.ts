import { DEAD_LETTERS } from '#contracts'
import type { Clock } from '#kernel'
import { backoff_ms } from '../backoff.js'
import { partitionName, PartlyFailed, type BatchHandler, type LogProducer, type StoredRecord, type TopicPartition } from '../log.js'
import { Wakeup } from '../wakeup.js'
import type { BatchEnd, ConsumptionBreaker } from './breaker.js'
import { changeRecord, RECOVERED_KEPT_MS } from './dead-letters.js'
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
  /** The topic's, which its batches are held back by too. */
  readonly breakerOf: (place: TopicPartition) => ConsumptionBreaker
  readonly producer: () => Promise<LogProducer>
  /** The slow look behind what this process itself deferred: for what others redrove. */
  readonly poll_ms: number
}

/** A held message waits for its redrive: the year 2255. */
const NEVER_MS = 9_000_000_000_000
const AT_ONCE = 64
const FORGET_EVERY_MS = 3_600_000
const FORGOTTEN_AT_ONCE = 1_000
/** For how long the others of its topic wait for a message that is tried again. Then they go on beside it. */
const MOST_WAIT_MS = 60_000
/** The longest pause of a message whose handler was not to blame: so soon it is tried once what was away is back. */
const MOST_AWAY_MS = 10_000

class Gone extends Error {}

/**
 * Retries deferred keys of the assigned partitions, each in order, parks what keeps failing, tells of it in the dead-letter topic, and forgets
 * what recovered long ago. Topics are worked on side by side, so none waits for another's handler; of one topic one message at a time.
 */
export class DeferredWorker {
  readonly #wakeup = new Wakeup()
  readonly #stopping = new AbortController()
  readonly #clock: Clock
  /** Topics under way. */
  readonly #busy = new Map<string, Promise<void>>()
  /** By topic: failures in a row that lay in what its handler needs, or in the database. */
  readonly #away = new Map<string, number>()
  /** Keys of which a message is tried: until that has ended no other is. */
  readonly #underWay = new Set<string>()
  #running: Promise<unknown> | undefined

  constructor(private readonly options: DeferredWorkerOptions) {
    this.#clock = options.clock
  }

  start(): void {
    this.#running ??= Promise.all([
      this.#keep(
        () => this.#begin(),
        () => this.#untilNext(),
      ),
      this.#keep(
        () => this.#publish(),
        () => Promise.resolve(this.options.poll_ms),
      ),
      this.#keepForgetting(),
    ])
  }

  look(): void {
    this.#wakeup.ring()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the consumer closes'))
    await this.#running
    await Promise.all(this.#busy.values())
  }

  /** `step` answers whether there may be more to do at once. */
  async #keep(step: () => Promise<boolean>, untilNext: () => Promise<number>): Promise<void> {
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      const since = this.#wakeup.since()
      let pause_ms = this.options.poll_ms
      try {
        if (await step()) continue
        failures = 0
        pause_ms = await untilNext()
      } catch (error) {
        this.options.listener?.onError?.(error)
        pause_ms = backoff_ms(++failures, this.options.random)
      }
      await this.#wakeup.wait(this.#clock, pause_ms, this.#stopping.signal, since)
    }
  }

  /** Begins with what is due of topics that are not under way. Answers whether there was anything: then there may be more, of others. */
  async #begin(): Promise<boolean> {
    const { consumerStore, group } = this.options
    const free = this.#free()
    for (const partition of free) await partition.store()
    const due = free.length === 0 ? [] : await consumerStore.due(group, places(free), this.#clock.now(), AT_ONCE)
    for (const [topic, messages] of Map.groupBy(due, ({ record }) => record.topic)) {
      const ofTopic = free.filter(({ place }) => place.topic === topic)
      const ended = () => {
        this.#busy.delete(topic)
        this.#wakeup.ring()
      }
      this.#busy.set(topic, this.#workOn(topic, messages, ofTopic).then(ended))
    }
    return due.length > 0
  }

  #free(): readonly PartitionConsumer[] {
    return this.options.partitions().filter(({ place }) => !this.#busy.has(place.topic) && !this.options.breakerOf(place).holds)
  }

  async #untilNext(): Promise<number> {
    const { consumerStore, group, poll_ms, breakerOf } = this.options
    const held = this.options.partitions().flatMap(({ place }) => breakerOf(place).holds_ms || [])
    const free = this.#free()
    const next = free.length === 0 ? undefined : await consumerStore.nextDue(group, places(free))
    return Math.min(poll_ms, ...held, next === undefined ? poll_ms : Math.max(1, next - this.#clock.now()))
  }

  /** Never rejects. A topic whose messages cannot even be put off has its pause before it is looked at again. */
  async #workOn(topic: string, due: readonly DeferredMessage[], partitions: readonly PartitionConsumer[]): Promise<void> {
    try {
      for (const message of due) {
        const partition =
          partitions.find(({ place }) => place.partition === message.record.partition) ??
          partitions.find(({ place }) => place.partition === 0)
        // Whoever has the partition by now knows better what is to be tried.
        if (!partition || !this.#has(partition)) continue
        if (this.#stopping.signal.aborted || this.options.breakerOf(partition.place).holds) break
        await this.#try(message, partition)
      }
    } catch (error) {
      this.options.listener?.onError?.(error)
      const pause_ms = backoff_ms(this.#failedAgain(topic), this.options.random)
      await this.#clock.sleep(pause_ms, this.#stopping.signal).catch(() => undefined)
    }
  }

  #has(partition: PartitionConsumer): boolean {
    return this.options.partitions().includes(partition)
  }

  /** Resolves when the try has ended, or others have waited for it long enough. */
  async #try(deferred: DeferredMessage, partition: PartitionConsumer): Promise<void> {
    const key = keyOf(deferred.record)
    if (this.#underWay.has(key)) return this.#putOff(deferred, partition)
    this.#underWay.add(key)
    const tell = this.options.breakerOf(partition.place).begin()
    let told = false
    // Of a try that alone does not end the breaker is told nothing: it says nothing of what the handler needs.
    const ended = (end: BatchEnd) => {
      if (!told) tell(end)
      told = true
    }
    let alone = true
    const over = new AbortController()
    const retried = this.#retry(deferred, partition, ended).finally(() => this.#underWay.delete(key))
    const late = this.#clock.sleep(MOST_WAIT_MS, over.signal).then(
      () => {
        alone = false
        ended('unknown')
        return this.#putOff(deferred, partition)
      },
      () => undefined,
    )
    retried.catch((error: unknown) => {
      if (!alone) this.options.listener?.onError?.(error)
    })
    try {
      await Promise.race([retried, late])
    } finally {
      over.abort()
    }
  }

  async #retry(deferred: DeferredMessage, partition: PartitionConsumer, ended: (end: BatchEnd) => void): Promise<void> {
    const { consumerStore: store, group, transactions, tracing } = this.options
    const { record } = deferred
    const version = partition.version(record.key)
    let batch: TracedBatch | undefined
    try {
      if (this.options.prepare) await this.options.prepare([record])
      batch = traceBatch(tracing, group, [this.options.decode(record)])
      const handled = this.options.handlerOf(record.topic)?.(batch.messages)
      if (!handled) throw new Error(`no handler of ${record.topic}`)
      const effect = await handled
      const waits = await transactions.run(async (tx) => {
        if (!(await store.settle(tx, group, record, this.#clock.now()))) throw new Gone()
        await effect(tx)
        return store.waits(tx, group, partition.place, record.key)
      })
      batch.end()
      ended('succeeded')
      this.#away.delete(record.topic)
      if (!waits) partition.release(record.key, version)
    } catch (thrown) {
      if (thrown instanceof Gone) return ended('unknown')
      batch?.end(thrown)
      const error = thrown instanceof PartlyFailed ? thrown.failures[0]?.error : thrown
      const away = this.options.isTransient(error)
      // A message that is at fault says nothing of what the handler needs.
      ended(away ? 'failed' : 'unknown')
      if (away) await this.#putOff(deferred, partition)
      else await this.#failed(deferred, partition, version, error)
    }
  }

  /** Not the message's fault, so it counts no try; the pause grows with what failed in a row. */
  async #putOff(deferred: DeferredMessage, partition: PartitionConsumer): Promise<void> {
    const failures = this.#failedAgain(deferred.record.topic)
    await this.#postpone(deferred, partition, this.#pause_ms(failures, Math.min(this.options.mostRetry_ms, MOST_AWAY_MS)))
  }

  #failedAgain(topic: string): number {
    const failures = (this.#away.get(topic) ?? 0) + 1
    this.#away.set(topic, failures)
    return failures
  }

  async #failed(deferred: DeferredMessage, partition: PartitionConsumer, version: number, error: unknown): Promise<void> {
    const { consumerStore: store, group, transactions, listener } = this.options
    const { record } = deferred
    const attempts = deferred.attempts + 1
    const failure = reportOf(error)
    if (attempts < this.options.maxAttempts)
      return await this.#postpone({ ...deferred, failure, attempts }, partition, this.#pause_ms(attempts))
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
    this.#wakeup.ring()
    const { traceparent } = record.headers
    listener?.onParked?.({ id: letter.id, partition: partition.place, attempts, errorClass: failure.errorClass, traceparent })
  }

  #pause_ms(failures: number, most_ms = this.options.mostRetry_ms): number {
    return backoff_ms(failures, this.options.random, this.options.firstRetry_ms, most_ms)
  }

  async #postpone(deferred: DeferredMessage, partition: PartitionConsumer, pause_ms: number): Promise<void> {
    const { consumerStore, group, transactions } = this.options
    // It may be tried, parked or done by now where the partition is.
    if (!this.#has(partition)) return
    const due_ms = this.#clock.now() + pause_ms
    await transactions.run(async (tx) => void (await consumerStore.postpone(tx, group, { ...deferred, due_ms })))
  }

  async #keepForgetting(): Promise<void> {
    const { consumerStore, group, listener } = this.options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const before_ms = this.#clock.now() - RECOVERED_KEPT_MS
      const forgotten = await consumerStore
        .forgetRecovered(group, before_ms, FORGOTTEN_AT_ONCE)
        .catch((error: unknown) => (listener?.onError?.(error), 0))
      if (forgotten < FORGOTTEN_AT_ONCE) await this.#clock.sleep(FORGET_EVERY_MS, signal).catch(() => undefined)
    }
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

const keyOf = (record: StoredRecord): string => `${partitionName(record)} ${record.key}`
