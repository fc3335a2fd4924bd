import { systemClock, systemRandom, type Clock, type Random } from '#kernel'
import type { AvroOptions } from '../avro/values.js'
import { DependencyUnavailable } from '../failure.js'
import type { ConsumeOptions, GroupStanding, LogConsumer, LogDriver, LogProducer, PartitionOffsets, TopicSpec, ValueCodec } from '../log.js'
import { UnknownTopic } from '../unknown-topic.js'
import { TopicNotThere, type KafkaClient, type KafkaSecurity } from './client.js'
import { KafkaConsumer } from './consumer.js'
import { groupsOf } from './groups.js'
import { KafkaProducer } from './producer.js'

export type { KafkaSecurity } from './client.js'

export type KafkaClientName = 'kafkajs' | 'platformatic'

export interface KafkaLogOptions extends KafkaSecurity {
  /** `host:port`, several. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Which client of Kafka's speaks to them; `platformatic` unless given. */
  readonly client?: KafkaClientName
  /** Of topics that are made; the brokers' `default.replication.factor` unless given. */
  readonly replicationFactor?: number
  /** How long a killed member keeps its partitions; 10 s. Brokers refuse less than `group.min.session.timeout.ms`, 6 s by default. */
  readonly sessionTimeout_ms?: number
  /** How often a member says that it lives; 3 s, or a quarter of the session where that is less. */
  readonly heartbeatInterval_ms?: number
  /** How long members have to join again when partitions are shared out anew; 15 s. */
  readonly rebalanceTimeout_ms?: number
  /** How long a broker has to take a connection; 3 s. */
  readonly connectionTimeout_ms?: number
  /** Messages of these contracts are written as Avro, by the schemas of this registry, and read so; JSON unless given. */
  readonly registry?: AvroOptions
  readonly clock?: Clock
  readonly random?: Random
}

const TOPICS_FRESH_MS = 30_000
const TOPICS_THERE_MS = 15_000
const BROKER_DEFAULT = -1

/**
 * The log in Kafka 4.x. Connects at first use. Loads the client before it resolves, and only the one that is used: while its modules load nothing
 * else goes on in the process, for seconds where processors are busy, and whatever connects meanwhile would be late. So call it before that.
 */
export const kafkaLog = async (options: KafkaLogOptions): Promise<LogDriver> =>
  new KafkaLog(options, await loadClient(options), await loadValues(options))

const loadClient = async (options: KafkaLogOptions): Promise<KafkaClient> => {
  const settings = { ...options, connectionTimeout_ms: options.connectionTimeout_ms ?? 3_000 }
  if (options.client === 'kafkajs') {
    const { KafkajsClient } = await import('./kafkajs/client.js')
    return new KafkajsClient(settings)
  }
  const { PlatformaticClient } = await import('./platformatic/client.js')
  return new PlatformaticClient(settings)
}

const loadValues = async ({ registry, clock = systemClock }: KafkaLogOptions): Promise<ValueCodec | undefined> => {
  if (!registry) return undefined
  const { AvroValues } = await import('../avro/values.js')
  return new AvroValues(registry, clock)
}

class KafkaLog implements LogDriver {
  readonly name = 'kafka'
  readonly #clock: Clock
  readonly #consumers = new Set<KafkaConsumer>()
  readonly #producers = new Set<KafkaProducer>()
  #topics: ReadonlyMap<string, number> = new Map()
  #topicsFreshUntil = 0

  constructor(
    private readonly options: KafkaLogOptions,
    private readonly client: KafkaClient,
    readonly values: ValueCodec | undefined,
  ) {
    this.#clock = options.clock ?? systemClock
  }

  /** Safe to run in many processes at once: what another has just made is waited for, not made again. */
  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    const { client } = this
    const wanted = async (): Promise<{ missing: readonly TopicSpec[]; short: readonly TopicSpec[] }> => {
      const existing = await client.topics()
      return {
        missing: topics.filter(({ name }) => !existing.has(name)),
        short: topics.filter(({ name, partitions }) => (existing.get(name) ?? partitions) < partitions),
      }
    }
    let { missing, short } = await wanted()
    if (missing.length > 0) await client.createTopics(missing, this.options.replicationFactor ?? BROKER_DEFAULT)
    if (short.length > 0) await client.growTopics(short)
    // The controller has them before every broker knows them.
    const until = this.#clock.now() + TOPICS_THERE_MS
    while (missing.length + short.length > 0) {
      if (this.#clock.now() > until) {
        const names = [...missing, ...short].map(({ name }) => name).join(', ')
        throw new DependencyUnavailable(`Kafka: topics made, but not seen after ${TOPICS_THERE_MS} ms: ${names}`)
      }
      await this.#clock.sleep(50)
      ;({ missing, short } = await wanted())
    }
    this.#topicsFreshUntil = 0
  }

  producer(): Promise<LogProducer> {
    const producer = new KafkaProducer(
      () => this.client.producer(),
      (topic) => this.#partitionsOf(topic),
      this.values,
    )
    this.#producers.add(producer)
    return Promise.resolve(producer)
  }

  async consume(options: ConsumeOptions): Promise<LogConsumer> {
    const sessionTimeout_ms = this.options.sessionTimeout_ms ?? 10_000
    const consumer: KafkaConsumer = new KafkaConsumer(this.client, options, {
      sessionTimeout_ms,
      heartbeatInterval_ms: this.options.heartbeatInterval_ms ?? Math.min(3_000, Math.floor(sessionTimeout_ms / 4)),
      rebalanceTimeout_ms: this.options.rebalanceTimeout_ms ?? 15_000,
      clock: this.#clock,
      random: this.options.random ?? systemRandom,
      onClosed: () => this.#consumers.delete(consumer),
    })
    this.#consumers.add(consumer)
    const until = this.#clock.now() + TOPICS_THERE_MS
    for (;;) {
      try {
        await consumer.start()
        return consumer
      } catch (error) {
        if (error instanceof TopicNotThere && this.#clock.now() < until) {
          await this.#clock.sleep(50)
          continue
        }
        await consumer.close(0)
        throw error
      }
    }
  }

  async offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return (await this.client.topics()).has(topic) ? await this.client.offsets(topic) : []
  }

  async groups(): Promise<readonly GroupStanding[]> {
    return groupsOf(await this.client.commits(), (topic) => this.offsets(topic), this.#clock.now())
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()))
    await Promise.all([...this.#producers].map((producer) => producer.close()))
    await this.client.close()
  }

  async #partitionsOf(topic: string): Promise<number> {
    if (this.#clock.now() >= this.#topicsFreshUntil || !this.#topics.has(topic)) {
      this.#topics = await this.client.topics()
      this.#topicsFreshUntil = this.#clock.now() + TOPICS_FRESH_MS
    }
    const partitions = this.#topics.get(topic)
    if (partitions === undefined) throw new UnknownTopic(topic)
    return partitions
  }
}
