import type { IncomingMessage, Transaction } from '#kernel'

/**
 * The log port: topics of partitions, consumer groups that share them. Two drivers, PostgreSQL and Kafka (and the simulator's), pass one
 * contract suite. A driver moves bytes and owns assignment; everything else (offsets, retries, dead letters) is above it.
 */
export interface LogDriver {
  /** Which log this is, as stores and consumers remember it: a place in one means nothing in another. */
  readonly name: string
  /** How values are written in it; JSON unless given. */
  readonly values?: ValueCodec | undefined
  /** Creates what is missing; never shrinks. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>
  producer(): Promise<LogProducer>
  /** Joins the group and calls back until closed. */
  consume(options: ConsumeOptions): Promise<LogConsumer>
  /** First offset still there and the next to be written, per partition; none for a topic that is not there. */
  offsets(topic: string): Promise<readonly PartitionOffsets[]>
  /** Where every group stands that told it, as of when it told; `lag` and what waits are as of now. For operators. */
  groups(): Promise<readonly GroupStanding[]>
  /** Closes the consumers and producers that are still open, then the connections. */
  close(): Promise<void>
}

export interface PartitionOffsets {
  readonly partition: number
  readonly first: bigint
  readonly next: bigint
}

/** Where a group stands in a partition. */
export interface Standing extends TopicPartition {
  readonly next: bigint
  /** Records that the log has from `next` on. */
  readonly lag: number
  /** Since when the first of them waits, milliseconds since the epoch, as far as it is known; none when nothing waits. */
  readonly waitingSince_ms?: number
  /** Messages that wait to be tried again. */
  readonly deferred: number
  /** Dead letters that were not sent back. */
  readonly parked: number
  /** It stands, because its place is not in the log. */
  readonly gap?: LogGapReason
  /** Its member holds the topic's batches back, or probes with one: what their handler needs is away. */
  readonly breaker?: HeldBack
}

export type HeldBack = 'open' | 'half-open'

export interface GroupStanding extends Standing {
  readonly group: string
  /** Whether a living member has the partition. */
  readonly owned: boolean
  readonly toldAt_ms: number
}

/**
 * `went-back`: the log ends before the consumer's place, or began anew under it. `removed-unread`: retention took what it had not read.
 * `another-log`: the group's place is in a log of another name.
 */
export type LogGapReason = 'went-back' | 'removed-unread' | 'another-log'

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly retention_ms: number
  readonly compacted?: boolean
}

export interface LogRecord {
  readonly topic: string
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly value: Uint8Array
}

export interface StoredRecord extends LogRecord {
  readonly partition: number
  readonly offset: bigint
  readonly timestamp_ms: number
}

/** Values in another form than JSON, by schemas that are kept elsewhere. Producers of the log write by it; its records are given out as they are. */
export interface ValueCodec {
  /** Rejects with `DependencyUnavailable`. */
  encode(records: readonly LogRecord[]): Promise<readonly LogRecord[]>
  /** Fetches what `decode` needs for these. Rejects with `DependencyUnavailable`. */
  prepare(records: readonly LogRecord[]): Promise<void>
  /** With JSON as its value. Throws `Undecodable`. */
  decode<R extends LogRecord>(record: R): R
}

export interface LogProducer {
  /**
   * Resolves when all are durable, in order per partition. Rejects when it is not known that they are: send again.
   * Calls of one producer are carried out one after another.
   */
  send(records: readonly LogRecord[]): Promise<void>
  close(): Promise<void>
}

export interface ConsumeOptions {
  readonly group: string
  readonly topics: readonly string[]
  /** Where to go on for a partition that was just assigned, or whose batch was rejected. */
  startOffset(partition: TopicPartition): Promise<bigint>
  /**
   * Handles a batch of one partition, in offset order. The driver delivers the partition's next batch only after it resolves, and batches of
   * different partitions concurrently. Rejecting makes the driver deliver again from `startOffset`, after a pause with backoff and jitter.
   * `signal` aborts when the partition was taken away or the consumer closes past its bound: what is done after that is for nothing.
   */
  onBatch(partition: TopicPartition, records: readonly StoredRecord[], signal: AbortSignal): Promise<void>
  /** Asked before each batch: undefined lets it begin in the same turn; else it is asked again when this resolves, at the latest when `signal` aborts. */
  ready?(partition: TopicPartition, signal: AbortSignal): Promise<void> | undefined
  /** The partition is no longer this consumer's; no batch of it is under way. */
  onRevoked?(partition: TopicPartition): void
  /** At most this many records a batch. */
  readonly maxBatch: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface LogConsumer {
  /** Whether it is alive: it has polled or handled within its session time-out. */
  healthy(): boolean
  assignment(): readonly TopicPartition[]
  pause(partition: TopicPartition): void
  resume(partition: TopicPartition): void
  /** Tells the log where the group stands, for whoever asks `groups()`. A hint: it may come late or be lost. */
  tell(standings: readonly Standing[]): Promise<void>
  /** Finishes the batches under way, commits, leaves the group; past `timeout_ms` (10 s) it leaves anyway. */
  close(timeout_ms?: number): Promise<void>
}

/** The second phase of a handler: what is written, in one transaction with the offset. It may run twice for one commit: no effect outside `tx`. */
export type Effect = (tx: Transaction) => Promise<void>

/**
 * A handler in two phases. The call itself prepares: it may read and do I/O, concurrently for different keys, and writes nothing. What it
 * returns is applied in one transaction with the offset. Both may run again for the same messages. `signal`, of the one who has
 * the partition, for as long as it has it: once aborted, what is not begun is not to be begun. There is none for a message that was put aside.
 */
export type BatchHandler = (messages: readonly IncomingMessage[], signal?: AbortSignal) => Promise<Effect>

/**
 * A handler of single messages throws it for a batch of which some failed: the rest of the batch is handled, and is not handled again. What
 * follows a failed message in its key must not have been handled.
 */
export class PartlyFailed extends Error {
  override readonly name = 'PartlyFailed'
  constructor(readonly failures: readonly { readonly message: IncomingMessage; readonly error: unknown }[]) {
    super(`${failures.length} messages of a batch failed`, { cause: failures[0]?.error })
  }
}

/** For a batch that needs nothing written. */
export const noEffect: Effect = () => Promise.resolve()

export const partitionName = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
