import { systemClock, systemRandom, type Clock, type Random } from '#kernel'
import { Kafka, logLevel, type Admin, type KafkaConfig } from 'kafkajs'
import type { ConsumeOptions, LogConsumer, LogDriver, LogProducer, PartitionOffsets, TopicSpec } from '../log.js'
import { UnknownTopic } from '../unknown-topic.js'
import { KafkaConsumer } from './consumer.js'
import { KafkaProducer, unavailable } from './producer.js'

export interface KafkaLogOptions {
  /** `host:port`, several. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly replicationFactor?: number
  /** How long a killed member keeps its partitions; 10 s. Brokers refuse less than `group.min.session.timeout.ms`, 6 s by default. */
  readonly sessionTimeout_ms?: number
  readonly heartbeatInterval_ms?: number
  readonly rebalanceTimeout_ms?: number
  readonly connectionTimeout_ms?: number
  readonly ssl?: KafkaConfig['ssl']
  readonly sasl?: KafkaConfig['sasl']
  readonly clock?: Clock
  readonly random?: Random
}

const TOPICS_FRESH_MS = 30_000

/** The log in Kafka 4.x, by kafkajs. Connects at first use. */
export const kafkaLog = (options: KafkaLogOptions): LogDriver => new KafkaLog(options)

class KafkaLog implements LogDriver {
  readonly #kafka: Kafka
  readonly #clock: Clock
  readonly #consumers = new Set<KafkaConsumer>()
  readonly #producers = new Set<KafkaProducer>()
  readonly #partitions = new Map<string, { readonly count: number; readonly until: number }>()
  #admin: Promise<Admin> | undefined

  constructor(private readonly options: KafkaLogOptions) {
    this.#clock = options.clock ?? systemClock
    this.#kafka = new Kafka({
      clientId: options.clientId,
      brokers: [...options.brokers],
      connectionTimeout: options.connectionTimeout_ms ?? 3_000,
      requestTimeout: 15_000,
      enforceRequestTimeout: true,
      // What matters reaches the caller as an error; its own logger would print addresses and stacks unasked.
      logLevel: logLevel.NOTHING,
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    })
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    const admin = await this.#administrator()
    const existing = new Map<string, number>()
    const known = new Set(await admin.listTopics())
    const present = topics.filter(({ name }) => known.has(name)).map(({ name }) => name)
    if (present.length > 0) {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: present })
      for (const { name, partitions } of found) existing.set(name, partitions.length)
    }
    const missing = topics.filter(({ name }) => !existing.has(name))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map(({ name, partitions, retention_ms, compacted }) => ({
          topic: name,
          numPartitions: partitions,
          replicationFactor: this.options.replicationFactor ?? 1,
          configEntries: [
            { name: 'retention.ms', value: String(retention_ms) },
            { name: 'cleanup.policy', value: compacted ? 'compact' : 'delete' },
          ],
        })),
      })
    }
    const grown = topics.filter(({ name, partitions }) => (existing.get(name) ?? partitions) < partitions)
    if (grown.length > 0) {
      await admin.createPartitions({ topicPartitions: grown.map(({ name, partitions }) => ({ topic: name, count: partitions })) })
    }
    this.#partitions.clear()
  }

  producer(): Promise<LogProducer> {
    const producer = new KafkaProducer(this.#kafka, (topic) => this.#partitionsOf(topic))
    this.#producers.add(producer)
    return Promise.resolve(producer)
  }

  async consume(options: ConsumeOptions): Promise<LogConsumer> {
    const sessionTimeout_ms = this.options.sessionTimeout_ms ?? 10_000
    const consumer: KafkaConsumer = new KafkaConsumer(this.#kafka, options, {
      sessionTimeout_ms,
      heartbeatInterval_ms: this.options.heartbeatInterval_ms ?? Math.min(3_000, Math.floor(sessionTimeout_ms / 4)),
      rebalanceTimeout_ms: this.options.rebalanceTimeout_ms ?? 15_000,
      clock: this.#clock,
      random: this.options.random ?? systemRandom,
      onClosed: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    try {
      await consumer.start()
    } catch (error) {
      await consumer.close(0)
      throw unavailable(error)
    }
    return consumer
  }

  async offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    const admin = await this.#administrator()
    if (!(await admin.listTopics()).includes(topic)) return []
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets
      .map(({ partition, low, high }) => ({ partition, first: BigInt(low), next: BigInt(high) }))
      .sort((a, b) => a.partition - b.partition)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await Promise.all([...this.#producers].map((producer) => producer.close()))
    await this.#admin?.then((admin) => admin.disconnect()).catch(() => undefined)
    this.#admin = undefined
  }

  async #partitionsOf(topic: string): Promise<number> {
    const known = this.#partitions.get(topic)
    if (known && this.#clock.now() < known.until) return known.count
    const admin = await this.#administrator()
    if (!known && !(await admin.listTopics()).includes(topic)) throw new UnknownTopic(topic)
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const count = topics[0]?.partitions.length ?? 0
    if (count === 0) throw new UnknownTopic(topic)
    this.#partitions.set(topic, { count, until: this.#clock.now() + TOPICS_FRESH_MS })
    return count
  }

  #administrator(): Promise<Admin> {
    this.#admin ??= this.#connectAdmin().catch((error: unknown) => {
      this.#admin = undefined
      throw unavailable(error)
    })
    return this.#admin
  }

  async #connectAdmin(): Promise<Admin> {
    const admin = this.#kafka.admin()
    await admin.connect()
    return admin
  }
}
