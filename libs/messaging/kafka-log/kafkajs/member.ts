import type { Consumer, EachBatchPayload, IHeaders, Kafka, KafkaMessage } from 'kafkajs'
import { partitionName, type StoredRecord, type TopicPartition } from '../../log.js'
import type { GroupCommit, KafkaMember, MemberListener, MemberOptions } from '../client.js'
import { unavailable } from './unavailable.js'

/** Long polls are short, because a seek and a resume wait for the one under way. */
const MOST_WAIT_MS = 250

export class KafkajsMember implements KafkaMember {
  readonly #consumer: Consumer
  /** kafkajs begins at the committed offset, which is nobody's place. */
  readonly #unsought = new Set<string>()
  #closed = false

  constructor(
    kafka: Kafka,
    private readonly options: MemberOptions,
    private readonly listener: MemberListener,
  ) {
    this.#consumer = kafka.consumer({
      groupId: options.group,
      sessionTimeout: options.sessionTimeout_ms,
      heartbeatInterval: options.heartbeatInterval_ms,
      rebalanceTimeout: options.rebalanceTimeout_ms,
      maxWaitTimeInMs: MOST_WAIT_MS,
      allowAutoTopicCreation: false,
      metadataMaxAge: 30_000,
      // Its own endless restarts hide a dead consumer.
      retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
    })
  }

  start(): Promise<void> {
    const consumer = this.#consumer
    const { HEARTBEAT, FETCH, GROUP_JOIN, REBALANCING, CRASH } = consumer.events
    const { listener } = this
    consumer.on(HEARTBEAT, () => this.#tell(() => listener.alive()))
    consumer.on(FETCH, () => this.#tell(() => listener.alive()))
    consumer.on(REBALANCING, () => this.#tell(() => listener.rebalancing()))
    consumer.on(GROUP_JOIN, ({ payload }) => this.#tell(() => this.#joined(payload.memberAssignment)))
    consumer.on(CRASH, () => this.#tell(() => listener.died()))
    return unavailable(async () => {
      await consumer.connect()
      await consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 16,
        eachBatch: (payload) => Promise.resolve(this.#arrived(payload)),
      })
    })
  }

  seek(place: TopicPartition, offset: bigint): void {
    this.#consumer.seek({ ...place, offset: offset.toString() })
    this.#unsought.delete(partitionName(place))
    this.resume(place)
  }

  pause({ topic, partition }: TopicPartition): void {
    this.#consumer.pause([{ topic, partitions: [partition] }])
  }

  resume({ topic, partition }: TopicPartition): void {
    this.#consumer.resume([{ topic, partitions: [partition] }])
  }

  commit(offsets: readonly Omit<GroupCommit, 'group' | 'owned'>[]): Promise<void> {
    return unavailable(() => this.#consumer.commitOffsets(offsets.map((each) => ({ ...each, offset: each.offset.toString() }))))
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#consumer.disconnect()
  }

  #tell(what: () => void): void {
    if (!this.#closed) what()
  }

  #joined(assignment: Readonly<Record<string, number[]>>): void {
    const places = Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))
    for (const place of places) {
      this.#unsought.add(partitionName(place))
      this.pause(place)
    }
    this.listener.assigned(places)
  }

  #arrived({ batch, resolveOffset, isStale }: EachBatchPayload): void {
    const { topic, partition } = batch
    if (this.#closed || isStale()) return
    if (this.#unsought.has(partitionName(batch))) return this.pause({ topic, partition })
    resolveOffset(batch.lastOffset())
    const records = batch.messages.map((message) => toRecord(topic, partition, message))
    this.listener.read({ topic, partition }, records, BigInt(batch.lastOffset()) + 1n)
  }
}

const toRecord = (topic: string, partition: number, message: KafkaMessage): StoredRecord => ({
  topic,
  partition,
  offset: BigInt(message.offset),
  timestamp_ms: Number(message.timestamp),
  key: message.key?.toString() ?? '',
  headers: toHeaders(message.headers ?? {}),
  value: message.value ?? new Uint8Array(),
})

const toHeaders = (headers: IHeaders): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const one = Array.isArray(value) ? value[0] : value
      return one === undefined ? [] : [[name, one.toString()]]
    }),
  )
