import { AssignerProtocol, Kafka, logLevel, type Admin, type GroupDescription, type SASLOptions } from 'kafkajs'
import { partitionName, type PartitionOffsets, type TopicSpec } from '../../log.js'
import type {
  GroupCommit,
  KafkaClient,
  KafkaClientOptions,
  KafkaClientProducer,
  KafkaMember,
  KafkaSecurity,
  MemberListener,
  MemberOptions,
} from '../client.js'
import { KafkajsMember } from './member.js'
import { KafkajsProducer } from './producer.js'
import { quietRequestQueues } from './quiet-queue.js'
import { unavailable } from './unavailable.js'

/** kafkajs 2: the most used, and unmaintained. */
export class KafkajsClient implements KafkaClient {
  readonly #kafka: Kafka
  #admin: Promise<Admin> | undefined

  constructor({ clientId, brokers, connectionTimeout_ms, tls, sasl }: KafkaClientOptions) {
    quietRequestQueues()
    this.#kafka = new Kafka({
      clientId,
      brokers: [...brokers],
      connectionTimeout: connectionTimeout_ms,
      requestTimeout: 15_000,
      enforceRequestTimeout: true,
      // What matters reaches the caller as an error; its own logger would print addresses and stacks unasked.
      logLevel: logLevel.NOTHING,
      ...(tls && { ssl: { ...tls } }),
      ...(sasl && { sasl: saslOf(sasl) }),
    })
  }

  topics(): Promise<ReadonlyMap<string, number>> {
    return this.#ask(async (admin) => {
      // All of them: asked for by name, one that is not there yet is an error.
      const { topics } = await admin.fetchTopicMetadata()
      return new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
    })
  }

  createTopics(topics: readonly TopicSpec[], replicationFactor: number): Promise<void> {
    const made = topics.map(({ name, partitions, retention_ms, compacted }) => ({
      topic: name,
      numPartitions: partitions,
      replicationFactor,
      configEntries: [
        { name: 'retention.ms', value: String(retention_ms) },
        { name: 'cleanup.policy', value: compacted ? 'compact' : 'delete' },
      ],
    }))
    return this.#ask(async (admin) => {
      await admin.createTopics({ waitForLeaders: false, topics: made }).catch(unlessAll('TOPIC_ALREADY_EXISTS'))
    })
  }

  growTopics(topics: readonly Pick<TopicSpec, 'name' | 'partitions'>[]): Promise<void> {
    const topicPartitions = topics.map(({ name, partitions }) => ({ topic: name, count: partitions }))
    return this.#ask((admin) => admin.createPartitions({ topicPartitions }).then(() => undefined, unlessAll('INVALID_PARTITIONS')))
  }

  offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return this.#ask(async (admin) => {
      const offsets = await admin.fetchTopicOffsets(topic)
      return offsets
        .map(({ partition, low, high }) => ({ partition, first: BigInt(low), next: BigInt(high) }))
        .sort((a, b) => a.partition - b.partition)
    })
  }

  commits(): Promise<readonly GroupCommit[]> {
    return this.#ask(async (admin) => {
      const { groups } = await admin.listGroups()
      const ids = groups.filter(({ protocolType }) => protocolType === 'consumer').map(({ groupId }) => groupId)
      if (ids.length === 0) return []
      const owned = new Map((await admin.describeGroups(ids)).groups.map((group) => [group.groupId, ownedOf(group)]))
      const commits: GroupCommit[] = []
      for (const group of ids) {
        for (const { topic, partitions } of await admin.fetchOffsets({ groupId: group })) {
          for (const { partition, offset, metadata } of partitions) {
            const name = partitionName({ topic, partition })
            commits.push({ group, topic, partition, offset: BigInt(offset), metadata, owned: owned.get(group)?.has(name) ?? false })
          }
        }
      }
      return commits
    })
  }

  producer(): KafkaClientProducer {
    return new KafkajsProducer(this.#kafka)
  }

  member(options: MemberOptions, listener: MemberListener): KafkaMember {
    return new KafkajsMember(this.#kafka, options, listener)
  }

  async close(): Promise<void> {
    await this.#admin?.then((admin) => admin.disconnect()).catch(() => undefined)
    this.#admin = undefined
  }

  #ask<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    return unavailable(async () => work(await this.#administrator()))
  }

  #administrator(): Promise<Admin> {
    this.#admin ??= this.#connectAdmin().catch((error: unknown) => {
      this.#admin = undefined
      throw error
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

const ownedOf = ({ members }: GroupDescription): ReadonlySet<string> => {
  const names = members.flatMap(({ memberAssignment }) => {
    const assignment = memberAssignment.length > 0 ? AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment : undefined
    return Object.entries(assignment ?? {}).flatMap(([topic, partitions]) =>
      partitions.map((partition) => partitionName({ topic, partition })),
    )
  })
  return new Set(names)
}

/** Another process that was first makes ours a request for what is there. */
const unlessAll =
  (type: string) =>
  (error: unknown): void => {
    const { errors = [error] } = error as { readonly errors?: readonly unknown[] }
    if (!errors.every((each) => (each as { readonly type?: unknown }).type === type)) throw error
  }
