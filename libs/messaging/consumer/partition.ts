import type { Clock, IncomingMessage, Random, Transaction, Transactions } from '#kernel'
import type { Tracing } from '#tracing'
import { backoff_ms } from '../backoff.js'
import { Undecodable } from '../cloud-events.js'
import { FenceLost } from '../failure.js'
import { noEffect, PartlyFailed, type BatchHandler, type PartitionOffsets, type StoredRecord, type TopicPartition } from '../log.js'
import { reportOf } from './failure-report.js'
import { fingerprintOf, isFingerprintAt } from './fingerprint.js'
import { letterId } from './letter-id.js'
import type { ConsumerListener } from './listener.js'
import { gapOf, LogGap } from './log-gap.js'
import { Marks } from './marks.js'
import type { ConsumerStore, DeadLetter, DeferredMessage, Progress } from './store.js'
import { traceBatch } from './traced.js'

export interface PartitionOptions {
  readonly group: string
  /** `LogDriver.name`. */
  readonly log: string
  readonly handler: BatchHandler
  readonly transactions: Transactions
  readonly consumerStore: ConsumerStore
  readonly clock: Clock
  readonly random: Random
  readonly isTransient: (error: unknown) => boolean
  /** Of what is to be decoded, before. Rejects where what it takes is away. */
  readonly prepare?: ((records: readonly StoredRecord[]) => Promise<void>) | undefined
  /** Throws `Undecodable`. */
  readonly decode: (record: StoredRecord) => IncomingMessage
  readonly firstRetry_ms: number
  readonly mostRetry_ms: number
  readonly listener: ConsumerListener | undefined
  readonly tracing?: Tracing | undefined
  /** Where the log begins and ends. */
  readonly logOf: (place: TopicPartition) => Promise<Pick<PartitionOffsets, 'first' | 'next'>>
  /** Something was deferred or parked: the worker should look. */
  readonly onAside: () => void
}

/** A batch sorted out: what the handler gets, what waits behind its key, what cannot be read, and the marks after it. */
interface Sorted {
  readonly fresh: readonly IncomingMessage[]
  readonly behind: readonly DeferredMessage[]
  readonly unreadable: readonly DeadLetter[]
  readonly repeats: number
  readonly marks: Marks
}

/** Some of a batch's messages failed, and the others are handled. As it was sorted before: who was put behind its key then was not handled. */
interface Partly {
  readonly sorted: Sorted
  readonly failures: PartlyFailed['failures']
}

/** One assigned partition of a group: every batch is handled with one effect, or put aside, in one commit with its offset. */
export class PartitionConsumer {
  #next = 0n
  /** Fingerprint of the record before `#next`; unknown where none was read yet, or before fingerprints were kept. */
  #last: string | undefined
  /** Where the driver was told to go on: nothing before it may come. */
  #sought = 0n
  /** Where it stood when the log was seen to be another one: what is in the log from there on is no continuation. */
  #rewoundAt: bigint | undefined
  #marks = new Marks()
  /** What the store says; behind `#next` by batches that had no effect. */
  #stored = 0n
  #storing: Promise<void> | undefined
  #handling = 0
  #underWaySince_ms: number | undefined
  #handledUpTo_ms: number | undefined
  /** Counts up for good, so that no version comes twice. */
  #puts = 0
  /** Keys in `deferred`, each with a version of its own since something was put behind it: the worker may forget it only at that version. */
  readonly #deferredKeys = new Map<string, number>()

  constructor(
    readonly place: TopicPartition,
    private readonly options: PartitionOptions,
  ) {}

  /**
   * Reads its place anew; where the group was never here, it begins at the log's first record. Rejects with `LogGap`. Answers where the driver
   * goes on: at the last record read, as far as the log still has it, so that it is seen whether this is the log that it was read from.
   */
  async seek(log: Pick<PartitionOffsets, 'first' | 'next'>): Promise<bigint> {
    const progress = await this.options.consumerStore.progress(this.options.group, this.place, log.first, this.options.log)
    const gap = this.#inAnotherLog(progress, log) ?? (await this.#gapAt(progress.next, log))
    if (gap) throw gap
    if (progress.next === this.#rewoundAt) throw new LogGap('went-back', this.place, progress.next, log)
    this.#rewoundAt = undefined
    this.#next = this.#stored = progress.next
    this.#last = isFingerprintAt(progress.next - 1n, progress.last) ? progress.last : undefined
    this.#sought = this.#last !== undefined && progress.next > log.first ? progress.next - 1n : progress.next
    this.#marks = new Marks(progress.marks)
    this.#deferredKeys.clear()
    for (const key of progress.deferredKeys) this.#deferredKeys.set(key, ++this.#puts)
    if (progress.deferredKeys.length > 0) this.options.onAside()
    return this.#sought
  }

  /**
   * Rejects when the batch must come again (a dependency is away, the fence is lost, the signal aborted). Any other failure is isolated by
   * halving: each half is a batch of its own, so that a message's `prepare` sees what its predecessors committed, and the message that is
   * at fault is deferred alone. False: there was nothing new in it.
   */
  async handle(records: readonly StoredRecord[], signal: AbortSignal): Promise<boolean> {
    this.#handling++
    try {
      await this.#storing
      // Late, of a lane that was revoked: where it stood says nothing about the log.
      signal.throwIfAborted()
      await this.#expectNoGap(records)
      const todo = records.filter(({ offset }) => offset >= this.#next)
      if (todo.length === 0) return false
      this.#underWaySince_ms = todo[0]?.timestamp_ms
      await this.#handle(todo, signal).catch((error: unknown) => {
        this.options.listener?.onRetry?.({ partition: this.place, error })
        throw error
      })
      this.#handledUpTo_ms = todo.at(-1)?.timestamp_ms
      return true
    } finally {
      this.#underWaySince_ms = undefined
      this.#handling--
    }
  }

  /** The offset after what it handled. */
  get next(): bigint {
    return this.#next
  }

  /** The time of the oldest record of the batch under way. */
  get underWaySince_ms(): number | undefined {
    return this.#underWaySince_ms
  }

  /** The time of the newest record handled. */
  get handledUpTo_ms(): number | undefined {
    return this.#handledUpTo_ms
  }

  /**
   * Writes down how far it came. Batches without an effect write nothing: a consumer that passes over most of a topic would else commit
   * as often as one that acts on it; read again after a crash, they have no effect again.
   */
  async store(): Promise<void> {
    if (this.#handling > 0 || this.#storing || this.#stored === this.#next) return
    const { group, transactions, consumerStore } = this.options
    const from = this.#stored
    const to = { next: this.#next, marks: this.#marks.list(), last: this.#last, log: this.options.log }
    this.#storing = transactions
      .run((tx) => consumerStore.advance(tx, group, this.place, from, to))
      .catch((error: unknown) => {
        if (error instanceof FenceLost) return false
        throw error
      })
      .then((moved) => (moved ? void (this.#stored = to.next) : this.#lookWhereStored()))
      // It may have been stored and its answer lost: the next call looks.
      .catch(() => undefined)
      .finally(() => (this.#storing = undefined))
    await this.#storing
  }

  /**
   * An earlier call whose answer was lost did move it. Everything between has no effect, so where it stands now is as good a place to go on
   * from; past `#next` another consumer moved it, and the next batch that has an effect meets the fence.
   */
  async #lookWhereStored(): Promise<void> {
    const { group, consumerStore } = this.options
    const { next, log } = await consumerStore.progress(group, this.place, this.#stored)
    if (log === this.options.log && next > this.#stored && next <= this.#next) this.#stored = next
  }

  async #handle(records: readonly StoredRecord[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let partly: Partly | undefined
    try {
      partly = await this.#commit(records, signal)
    } catch (error) {
      if (signal.aborted || this.options.isTransient(error)) throw error
      if (records.length === 1) return await this.#defer(records, error, signal)
      const half = Math.ceil(records.length / 2)
      await this.#handle(records.slice(0, half), signal)
      await this.#handle(records.slice(half), signal)
    }
    if (partly) await this.#deferFailed(records, partly, signal)
  }

  /** Whoever had the partition before may have gone on since the log was asked where it ends: what looks like a gap is one only where it still does. */
  async #gapAt(next: bigint, asked: Pick<PartitionOffsets, 'first' | 'next'>): Promise<LogGap | undefined> {
    return gapOf(this.place, next, asked) && gapOf(this.place, next, await this.options.logOf(this.place))
  }

  /** A driver whose place was taken away goes on wherever the log has something: that is a loss, and not for a driver to decide. */
  async #expectNoGap(records: readonly StoredRecord[]): Promise<void> {
    const [record] = records
    if (!record) return
    const first = record.offset
    const another = first === this.#next - 1n && this.#last !== undefined && fingerprintOf(record) !== this.#last
    if (!another && first >= this.#sought && first <= this.#next) return
    const log = await this.options.logOf(this.place)
    if (another || first < this.#sought) {
      this.#rewoundAt = this.#stored
      throw new LogGap('went-back', this.place, this.#next, log)
    }
    const gap = gapOf(this.place, this.#next, log)
    if (gap) throw gap
  }

  #inAnotherLog({ next, log: kept }: Progress, log: Pick<PartitionOffsets, 'first' | 'next'>): LogGap | undefined {
    return kept === undefined || kept === this.options.log ? undefined : new LogGap('another-log', this.place, next, log)
  }

  /** Changes whenever something is put behind this key; to be given to `release`. */
  version(key: string): number {
    return this.#deferredKeys.get(key) ?? 0
  }

  /** Nothing of the key waits any more, unless something came since `version`. */
  release(key: string, version: number): void {
    if (this.#deferredKeys.get(key) === version) this.#deferredKeys.delete(key)
  }

  async #commit(records: readonly StoredRecord[], signal: AbortSignal): Promise<Partly | undefined> {
    const { clock, listener } = this.options
    const began = clock.now()
    if (this.options.prepare) await this.options.prepare(records)
    const sorted = this.#sort(records)
    let commit_ms: number
    try {
      commit_ms = await this.#handleAndWrite(records, sorted, signal)
    } catch (error) {
      if (error instanceof PartlyFailed) return { sorted, failures: error.failures }
      throw error
    }
    const now = clock.now()
    listener?.onCommitted?.({
      partition: this.place,
      messages: sorted.fresh.length,
      repeats: sorted.repeats,
      duration_ms: now - began,
      commit_ms,
      lag_ms: now - (records.at(-1)?.timestamp_ms ?? now),
      next: this.#next,
    })
    return undefined
  }

  async #handleAndWrite(records: readonly StoredRecord[], sorted: Sorted, signal: AbortSignal): Promise<number> {
    const { handler, tracing, group } = this.options
    const batch = traceBatch(tracing, group, sorted.fresh)
    try {
      const effect = sorted.fresh.length > 0 ? await handler(batch.messages, signal) : noEffect
      const commit_ms = await this.#write(records, sorted, signal, effect)
      batch.end()
      return commit_ms
    } catch (error) {
      batch.end(error)
      throw error
    }
  }

  /** Those that failed go aside, each with what comes later of its key; the others are handled. */
  async #deferFailed(records: readonly StoredRecord[], { sorted, failures }: Partly, signal: AbortSignal): Promise<void> {
    const { clock, random, firstRetry_ms, mostRetry_ms } = this.options
    const failed = new Map(failures.map(({ message, error }) => [message.offset, error]))
    const firstOf = new Map(failures.map(({ message }) => [message.key, message.offset]))
    const now = clock.now()
    const behind = sorted.fresh.flatMap(({ key, offset }): DeferredMessage[] => {
      const record = records.find((each) => each.offset === offset)
      if (!record || offset < (firstOf.get(key) ?? offset + 1n)) return []
      if (!failed.has(offset)) return [{ record, attempts: 0, due_ms: now }]
      return [
        { record, attempts: 1, failure: reportOf(failed.get(offset)), due_ms: now + backoff_ms(1, random, firstRetry_ms, mostRetry_ms) },
      ]
    })
    for (const { record } of behind) this.#putBehind(record.key)
    await this.#write(records, { ...sorted, behind: inOrder([...sorted.behind, ...behind]) }, signal, noEffect)
    for (const { message, error } of failures) {
      this.options.listener?.onDeferred?.({ partition: this.place, messages: 1, error, traceparent: message.context.traceparent })
    }
  }

  /** The message at fault goes aside, and with it what comes later of its key. */
  async #defer(records: readonly StoredRecord[], error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, random, firstRetry_ms, mostRetry_ms } = this.options
    const sorted = this.#sort(records)
    const due_ms = clock.now() + backoff_ms(1, random, firstRetry_ms, mostRetry_ms)
    const failed = records.map((record) => ({ record, attempts: 1, failure: reportOf(error), due_ms }))
    for (const { key } of records) this.#putBehind(key)
    await this.#write(records, { ...sorted, fresh: [], behind: failed }, signal, noEffect)
    const traceparent = records[0]?.headers['traceparent']
    this.options.listener?.onDeferred?.({ partition: this.place, messages: failed.length, error, traceparent })
  }

  async #write(
    records: readonly StoredRecord[],
    sorted: Sorted,
    signal: AbortSignal,
    effect: (tx: Transaction) => Promise<void>,
  ): Promise<number> {
    const { group, transactions, consumerStore: store } = this.options
    const newest = records.at(-1)
    if (!newest) return 0
    const to = { next: newest.offset + 1n, marks: sorted.marks.list(), last: fingerprintOf(newest), log: this.options.log }
    signal.throwIfAborted()
    const began = this.options.clock.now()
    let commit_ms = 0
    if (effect !== noEffect || sorted.behind.length + sorted.unreadable.length > 0) {
      await transactions.run(async (tx) => {
        if (!(await store.advance(tx, group, this.place, this.#stored, to))) {
          throw new FenceLost(group, this.place.topic, this.place.partition)
        }
        await effect(tx)
        if (sorted.behind.length > 0) await store.defer(tx, group, sorted.behind)
        if (sorted.unreadable.length > 0) await store.park(tx, group, sorted.unreadable)
      })
      this.#stored = to.next
      commit_ms = this.options.clock.now() - began
    }
    this.#next = to.next
    this.#last = to.last
    this.#marks = sorted.marks
    for (const { record } of sorted.behind) this.#putBehind(record.key)
    for (const { id, record, attempts, failure } of sorted.unreadable) {
      const { traceparent } = record.headers
      this.options.listener?.onParked?.({ id, partition: this.place, attempts, errorClass: failure.errorClass, traceparent })
    }
    if (sorted.behind.length + sorted.unreadable.length > 0) this.options.onAside()
    return commit_ms
  }

  #sort(records: readonly StoredRecord[]): Sorted {
    const marks = this.#marks.copy()
    const fresh: IncomingMessage[] = []
    const behind: DeferredMessage[] = []
    const unreadable: DeadLetter[] = []
    let repeats = 0
    const now = this.options.clock.now()
    for (const record of records) {
      let message: IncomingMessage
      try {
        message = this.options.decode(record)
      } catch (error) {
        if (!(error instanceof Undecodable)) throw error
        unreadable.push({ id: letterId(this.options.group, record), record, attempts: 1, failure: reportOf(error), parkedAt_ms: now })
        continue
      }
      if (!marks.pass(message.source, message.origin)) {
        repeats++
      } else if (this.#deferredKeys.has(message.key)) {
        this.#putBehind(message.key)
        behind.push({ record, attempts: 0, due_ms: now })
      } else fresh.push(message)
    }
    return { fresh, behind, unreadable, repeats, marks }
  }

  #putBehind(key: string): void {
    this.#deferredKeys.set(key, ++this.#puts)
  }
}

const inOrder = (messages: readonly DeferredMessage[]): readonly DeferredMessage[] =>
  [...messages].sort((a, b) => (a.record.offset < b.record.offset ? -1 : 1))
