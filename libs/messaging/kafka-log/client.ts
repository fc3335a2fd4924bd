import { isNativeError } from 'node:util/types'
import { DependencyUnavailable } from '../failure.js'
import type { LogRecord, PartitionOffsets, StoredRecord, TopicPartition, TopicSpec } from '../log.js'

const MOST_CAUSES = 8

/** How brokers are known, and who asks them. */
export interface KafkaSecurity {
  /** TLS; certificates are checked against `ca` (PEM), Node's own roots unless given, and against the host. */
  readonly tls?: { readonly ca?: string }
  readonly sasl?: { readonly mechanism: 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string }
}

export interface KafkaClientOptions extends KafkaSecurity {
  /** `host:port`, several. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly connectionTimeout_ms: number
}

/**
 * What is asked of a Kafka client: requests to the cluster, and membership of a group. Batches, order, offsets, back-pressure and drain are not
 * its business. It rejects with `DependencyUnavailable` when the cluster is away or does not do as asked, and connects at first use.
 */
export interface KafkaClient {
  /** Every topic, with the number of its partitions. */
  topics(): Promise<ReadonlyMap<string, number>>
  /** Makes them; one that is there already is left as it is. They may be seen later than this resolves. */
  createTopics(topics: readonly TopicSpec[], replicationFactor: number): Promise<void>
  /** Raises the number of partitions; a topic that has as many already is left as it is. */
  growTopics(topics: readonly Pick<TopicSpec, 'name' | 'partitions'>[]): Promise<void>
  /** Of a topic that is there; by partition. */
  offsets(topic: string): Promise<readonly PartitionOffsets[]>
  /** What every group of consumers committed. */
  commits(): Promise<readonly GroupCommit[]>
  producer(): KafkaClientProducer
  member(options: MemberOptions, listener: MemberListener): KafkaMember
  /** Of the connections for requests; members and producers are closed by who has them. */
  close(): Promise<void>
}

export interface GroupCommit extends TopicPartition {
  readonly group: string
  readonly offset: bigint
  readonly metadata: string | null
  /** Whether a living member has the partition. */
  readonly owned: boolean
}

export interface PlacedRecord extends LogRecord {
  readonly partition: number
}

/** Idempotent, acknowledged by all in-sync replicas. After it rejected it is of no use any more. */
export interface KafkaClientProducer {
  /** Called again only after it resolved. In order per partition. */
  send(records: readonly PlacedRecord[]): Promise<void>
  close(): Promise<void>
}

export interface MemberOptions {
  readonly group: string
  readonly topics: readonly string[]
  readonly sessionTimeout_ms: number
  readonly heartbeatInterval_ms: number
  readonly rebalanceTimeout_ms: number
}

/** Called one at a time, and not after the member closes. */
export interface MemberListener {
  /** A broker answered: the member lives, and what its heartbeats keep is kept. */
  alive(): void
  /** The group is about to share its partitions anew. */
  rebalancing(): void
  /** It has these from now on, and no others. Nothing is read of any of them until `seek`. */
  assigned(partitions: readonly TopicPartition[]): void
  /** What was read of a partition since its last `seek`, without gaps, and where it reads on; no record where the log has none (removed, or a transaction's marks). */
  read(partition: TopicPartition, records: readonly StoredRecord[], next: bigint): void
  /** It is no member any more and does not become one again: close it and make another. */
  died(): void
}

export interface KafkaMember {
  /** Resolves when it is connected; `assigned` is called by and by. */
  start(): Promise<void>
  /** Reads on from `offset`, also after `pause`. Throws between two memberships: `assigned` is then called again. */
  seek(partition: TopicPartition, offset: bigint): void
  /** What is under way may still be read. */
  pause(partition: TopicPartition): void
  resume(partition: TopicPartition): void
  commit(offsets: readonly Omit<GroupCommit, 'group' | 'owned'>[]): Promise<void>
  /** Leaves the group. */
  close(): Promise<void>
}

/** The broker that was asked knows no such topic. Where several share the work, one may not know yet of what the controller has just made. */
export class TopicNotThere extends DependencyUnavailable {}

/** A client's own errors mean that the log is away, whatever it calls retriable: who asked tries again with backoff. */
export const unavailableWhere =
  (isClients: (error: Error) => boolean) =>
  async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Error && isClients(error))) throw error
      throw new (isTopicNotThere(error) ? TopicNotThere : DependencyUnavailable)(`Kafka: ${reasonOf(error)}`, { cause: error })
    }
  }

const isTopicNotThere = (error: Error): boolean => 'type' in error && error.type === 'UNKNOWN_TOPIC_OR_PARTITION'

/** What failed, and the last word on why. */
const reasonOf = (error: Error): string => {
  let inner = error
  for (let depth = 0; depth < MOST_CAUSES; depth++) {
    const next: unknown = inner instanceof AggregateError ? inner.errors.at(-1) : inner.cause
    if (!isNativeError(next)) break
    inner = next
  }
  return error.message.includes(inner.message) ? error.message : `${error.message} ${inner.message}`
}
