import { systemClock, systemRandom, type Clock, type Random } from '#kernel'
import { Kafka, logLevel, type Admin, type SASLOptions } from 'kafkajs'
import type { ConsumeOptions, GroupStanding, LogConsumer, LogDriver, LogProducer, PartitionOffsets, TopicSpec } from '../log.js'
import { DependencyUnavailable } from '../failure.js'
import { UnknownTopic } from '../unknown-topic.js'
import { KafkaConsumer } from './consumer.js'
import { groupsOf } from './groups.js'
import { KafkaProducer, unavailable } from './producer.js'
import { quietRequestQueues } from './quiet-queue.js'

/** How brokers are known, and who asks them. */
export interface KafkaSecurity {
  /** TLS; certificates are checked against `ca` (PEM), Node's own roots unless given, and against the host. */
  readonly tls?: { readonly ca?: string }
  readonly sasl?: { readonly mechanism: 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string }
}

export interface KafkaLogOptions extends KafkaSecurity {
  /** `host:port`, several. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Of topics that are made; the brokers' `default.replication.factor` unless given. */
  readonly replicationFactor?: number
  /** How long a killed member keeps its partitions; 10 s. Brokers refuse less than `group.min.session.timeout.ms`, 6 s by default. */
  readonly sessionTimeout_ms?: number
  readonly heartbeatInterval_ms?: number
  readonly rebalanceTimeout_ms?: number
  readonly connectionTimeout_ms?: number
  readonly clock?: Clock
  readonly random?: Random
}

const TOPICS_FRESH_MS = 30_000
const TOPICS_THERE_MS = 15_000

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
    quietRequestQueues()
    this.#kafka = new Kafka({
      clientId: options.clientId,
      brokers: [...options.brokers],
      connectionTimeout: options.connectionTimeout_ms ?? 3_000,
      requestTimeout: 15_000,
      enforceRequestTimeout: true,
      // What matters reaches the caller as an error; its own logger would print addresses and stacks unasked.
      logLevel: logLevel.NOTHING,
      ...(options.tls && { ssl: { ...options.tls } }),
      ...(options.sasl && { sasl: saslOf(options.sasl) }),
    })
  }

  /** Safe to run in many processes at once: what another has just made is waited for, not made again. */
  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    const admin = await this.#administrator()
    try {
      await this.#ensure(admin, topics)
    } catch (error) {
      throw unavailable(error)
    }
    this.#partitions.clear()
  }

  async #ensure(admin: Admin, topics: readonly TopicSpec[]): Promise<void> {
    const wanted = async (): Promise<{ missing: readonly TopicSpec[]; short: readonly TopicSpec[] }> => {
      // All of them: asked for by name, one that is not there yet is an error.
      const { topics: found } = await admin.fetchTopicMetadata()
      const existing = new Map(found.map(({ name, partitions }) => [name, partitions.length]))
      return {
        missing: topics.filter(({ name }) => !existing.has(name)),
        short: topics.filter(({ name, partitions }) => (existing.get(name) ?? partitions) < partitions),
      }
    }
    let { missing, short } = await wanted()
    if (missing.length > 0) await created(admin, missing, this.options.replicationFactor)
    if (short.length > 0) await grown(admin, short)
    // The controller has them before every broker knows them, and kafkajs does not wait for those that another process made.
    const until = this.#clock.now() + TOPICS_THERE_MS
    while (missing.length + short.length > 0) {
      if (this.#clock.now() > until) {
        const names = [...missing, ...short].map(({ name }) => name).join(', ')
        throw new DependencyUnavailable(`Kafka: topics made, but not seen after ${TOPICS_THERE_MS} ms: ${names}`)
      }
      await this.#clock.sleep(50)
      ;({ missing, short } = await wanted())
    }
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

  async groups(): Promise<readonly GroupStanding[]> {
    const admin = await this.#administrator()
    try {
      return await groupsOf(admin, (topic) => this.offsets(topic), this.#clock.now())
    } catch (error) {
      throw unavailable(error)
    }
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

/** kafkajs has a type for each mechanism. */
const saslOf = ({ mechanism, ...user }: NonNullable<KafkaSecurity['sasl']>): SASLOptions =>
  mechanism === 'scram-sha-256' ? { mechanism, ...user } : { mechanism, ...user }

const BROKER_DEFAULT = -1

const created = async (admin: Admin, topics: readonly TopicSpec[], replicationFactor = BROKER_DEFAULT): Promise<void> => {
  const made = topics.map(({ name, partitions, retention_ms, compacted }) => ({
    topic: name,
    numPartitions: partitions,
    replicationFactor,
    configEntries: [
      { name: 'retention.ms', value: String(retention_ms) },
      { name: 'cleanup.policy', value: compacted ? 'compact' : 'delete' },
    ],
  }))
  await admin.createTopics({ waitForLeaders: false, topics: made }).catch(unlessAll('TOPIC_ALREADY_EXISTS'))
}

/** Another process that grew them first makes ours a request for what is there. */
const grown = async (admin: Admin, topics: readonly TopicSpec[]): Promise<void> => {
  const topicPartitions = topics.map(({ name, partitions }) => ({ topic: name, count: partitions }))
  await admin.createPartitions({ topicPartitions }).catch(unlessAll('INVALID_PARTITIONS'))
}

const unlessAll =
  (type: string) =>
  (error: unknown): void => {
    const { errors = [error] } = error as { readonly errors?: readonly unknown[] }
    if (!errors.every((each) => (each as { readonly type?: unknown }).type === type)) throw error
  }
