import { Admin, kGetBootstrapConnection, kPerformWithRetry, metadataV12, type Callback, type Connection } from '@platformatic/kafka'
import { partitionName, type PartitionOffsets, type TopicSpec } from '../../log.js'
import type {
  GroupCommit,
  KafkaClient,
  KafkaClientOptions,
  KafkaClientProducer,
  KafkaMember,
  MemberListener,
  MemberOptions,
} from '../client.js'
import { connectBy, unavailable } from './connect.js'
import { PlatformaticMember } from './member.js'
import { PlatformaticProducer } from './producer.js'

const FIRST = -2n
const NEXT = -1n

/** @platformatic/kafka 2: maintained, and typed. */
export class PlatformaticClient implements KafkaClient {
  #admin: Admin | undefined

  constructor(private readonly options: KafkaClientOptions) {}

  topics(): Promise<ReadonlyMap<string, number>> {
    return this.#ask(async (admin) => {
      // All of them: asked for by name, one that is not there yet is an error.
      const { topics } = await retried(admin, 'topics', async () => metadataV12.api.async(await anyBroker(admin), null, false, false))
      return new Map(
        topics.flatMap(({ name, partitions }) => (name === null || name === undefined ? [] : [[name, partitions.length] as const])),
      )
    })
  }

  createTopics(topics: readonly TopicSpec[], replicationFactor: number): Promise<void> {
    // Settings are those of a whole request.
    const alike = Map.groupBy(topics, ({ retention_ms, compacted }) => `${retention_ms} ${compacted ? 'compact' : 'delete'}`)
    return this.#ask(async (admin) => {
      for (const [settings, each] of alike) {
        const [retention = '', policy = ''] = settings.split(' ')
        const configs = [
          { name: 'retention.ms', value: retention },
          { name: 'cleanup.policy', value: policy },
        ]
        const made = each.map(({ name, partitions }) => ({ topic: name, partitions, replicas: replicationFactor }))
        await admin.createTopics({ topics: made, configs }).catch(unlessAll('TOPIC_ALREADY_EXISTS'))
      }
    })
  }

  growTopics(topics: readonly Pick<TopicSpec, 'name' | 'partitions'>[]): Promise<void> {
    return this.#ask(async (admin) => {
      const grown = topics.map(({ name, partitions }) => ({ name, count: partitions }))
      await admin.createPartitions({ topics: grown }).catch(unlessAll('INVALID_PARTITIONS'))
    })
  }

  offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return this.#ask(async (admin) => {
      const count = (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic)?.partitionsCount ?? 0
      const at = async (timestamp: bigint): Promise<ReadonlyMap<number, bigint>> => {
        const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp }))
        const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
        return new Map(listed?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]))
      }
      const [first, next] = await Promise.all([at(FIRST), at(NEXT)])
      return Array.from({ length: count }, (_, partition) => ({
        partition,
        first: first.get(partition) ?? 0n,
        next: next.get(partition) ?? 0n,
      }))
    })
  }

  commits(): Promise<readonly GroupCommit[]> {
    return this.#ask(async (admin) => {
      const ids = [...(await admin.listGroups()).values()].filter(({ protocolType }) => protocolType === 'consumer').map(({ id }) => id)
      if (ids.length === 0) return []
      const [described, offsets] = await Promise.all([
        admin.describeGroups({ groups: ids }),
        admin.listConsumerGroupOffsets({ groups: ids }),
      ])
      return offsets.flatMap(({ groupId: group, topics }) => {
        const members = [...(described.get(group)?.members.values() ?? [])]
        const owned = new Set(
          members.flatMap(({ assignments }) =>
            [...(assignments?.values() ?? [])].flatMap(({ topic, partitions }) =>
              partitions.map((partition) => partitionName({ topic, partition })),
            ),
          ),
        )
        return topics.flatMap(({ name: topic, partitions }) =>
          partitions.map(({ partitionIndex: partition, committedOffset: offset, metadata }) => ({
            group,
            topic,
            partition,
            offset,
            metadata: metadata ?? null,
            owned: owned.has(partitionName({ topic, partition })),
          })),
        )
      })
    })
  }

  producer(): KafkaClientProducer {
    return new PlatformaticProducer(this.options)
  }

  member(options: MemberOptions, listener: MemberListener): KafkaMember {
    return new PlatformaticMember(this.options, options, listener)
  }

  async close(): Promise<void> {
    const admin = this.#admin
    this.#admin = undefined
    await admin?.close().catch(() => undefined)
  }

  #ask<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = (this.#admin ??= new Admin(connectBy(this.options)))
    return unavailable(() => work(admin))
  }
}

const retried = <T>(admin: Admin, name: string, work: () => Promise<T>): Promise<T> =>
  settled((done) => {
    void admin[kPerformWithRetry]<T>(name, (tried) => void work().then((result) => tried(null, result), tried), done)
  })

const anyBroker = (admin: Admin): Promise<Connection> => settled((done) => admin[kGetBootstrapConnection](done))

const settled = <T>(work: (done: Callback<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    work((error, result) => (result === undefined ? reject(error ?? new Error('no answer')) : resolve(result)))
  })

/** Another process that was first makes ours a request for what is there. */
const unlessAll =
  (apiId: string) =>
  (error: unknown): void => {
    if (!leavesOf(error).every((each) => each instanceof Error && 'apiId' in each && each.apiId === apiId)) throw error
  }

const leavesOf = (error: unknown): readonly unknown[] => (error instanceof AggregateError ? error.errors.flatMap(leavesOf) : [error])
