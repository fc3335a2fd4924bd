import { ConnectionPool, Consumer, type ClusterMetadata } from '@platformatic/kafka'
import { setTimeout as sleep } from 'node:timers/promises'
import { partitionName, type TopicPartition } from '../../log.js'
import type { GroupCommit, KafkaClientOptions, KafkaMember, MemberListener, MemberOptions } from '../client.js'
import { connectBy, unavailable } from './connect.js'
import { fetchFrom, type Fetched, type Wanted } from './fetch.js'
import { commitOffsets } from './offset-commit.js'

interface Position {
  readonly place: TopicPartition
  /** Undefined until it is sought. */
  offset: bigint | undefined
  paused: boolean
}

const OFFSET_OUT_OF_RANGE = 1
const FIRST = -2n
const MOST_PAUSE_MS = 2_000

/**
 * The client keeps the membership; what is read is asked for here, by one reader for each broker. They have connections of their own: a broker
 * answers what comes over one in turn, and a heartbeat would wait behind a long poll.
 */
export class PlatformaticMember implements KafkaMember {
  readonly #consumer: Consumer
  readonly #pool: ConnectionPool
  readonly #closing = new AbortController()
  readonly #readers = new Set<number>()
  #positions = new Map<string, Position>()
  #partitions = new Map<string, number>()
  #waking = false

  constructor(
    client: KafkaClientOptions,
    private readonly options: MemberOptions,
    private readonly listener: MemberListener,
  ) {
    const { group, sessionTimeout_ms, heartbeatInterval_ms } = options
    const rebalanceTimeout_ms = Math.max(options.rebalanceTimeout_ms, sessionTimeout_ms)
    this.#consumer = new Consumer({
      // To join is to wait for the others.
      ...connectBy(client, rebalanceTimeout_ms + 5_000),
      groupId: group,
      sessionTimeout: sessionTimeout_ms,
      heartbeatInterval: heartbeatInterval_ms,
      rebalanceTimeout: rebalanceTimeout_ms,
      // As kafkajs calls it: members of both may be in a group, while one takes the other's place.
      protocols: [{ name: 'RoundRobinAssigner', version: 0 }],
    })
    this.#pool = new ConnectionPool(client.clientId, connectBy(client))
  }

  async start(): Promise<void> {
    const consumer = this.#consumer
    for (const topic of this.options.topics) consumer.topics.track(topic)
    consumer.on('consumer:heartbeat:end', () => this.#tell(() => this.listener.alive()))
    consumer.on('consumer:group:rebalance', () => this.#tell(() => this.listener.rebalancing()))
    consumer.on('consumer:group:join', ({ assignments = [] }) => this.#tell(() => this.#joined(assignments)))
    consumer.on('client:metadata', ({ topics }) => this.#tell(() => this.#lookForMore(topics)))
    // It failed to join again, and gave up.
    consumer.on('error', () => this.#tell(() => this.listener.died()))
    await unavailable(() => consumer.joinGroup({}))
  }

  seek(place: TopicPartition, offset: bigint): void {
    const position = this.#positions.get(partitionName(place))
    if (!position) throw new Error(`${partitionName(place)} is not assigned`)
    position.offset = offset
    position.paused = false
    this.#wake()
  }

  pause(place: TopicPartition): void {
    const position = this.#positions.get(partitionName(place))
    if (position) position.paused = true
  }

  resume(place: TopicPartition): void {
    const position = this.#positions.get(partitionName(place))
    if (!position) return
    position.paused = false
    this.#wake()
  }

  commit(offsets: readonly Omit<GroupCommit, 'group' | 'owned'>[]): Promise<void> {
    return unavailable(() => commitOffsets(this.#consumer, offsets))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await unavailable(() => Promise.all([this.#consumer.close(true), this.#pool.close()]))
  }

  #tell(what: () => void): void {
    if (!this.#closing.signal.aborted) what()
  }

  #joined(assignments: readonly { readonly topic: string; readonly partitions: readonly number[] }[]): void {
    const places = assignments.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
    this.#positions = new Map(places.map((place) => [partitionName(place), { place, offset: undefined, paused: false }]))
    this.listener.assigned(places)
  }

  /** Partitions that were added are shared when somebody joins again; the client does not look. */
  #lookForMore(topics: ClusterMetadata['topics']): void {
    let more = false
    for (const topic of this.options.topics) {
      const now = topics.get(topic)?.partitionsCount
      if (now === undefined) continue
      const before = this.#partitions.get(topic)
      more ||= before !== undefined && now > before
      this.#partitions.set(topic, now)
    }
    if (more) this.#consumer.joinGroup({}).catch(() => this.#tell(() => this.listener.died()))
  }

  #wake(): void {
    if (this.#waking || this.#closing.signal.aborted) return
    this.#waking = true
    void this.#startReaders()
  }

  async #startReaders(): Promise<void> {
    for (let failures = 0; !this.#closing.signal.aborted; failures++) {
      try {
        const metadata = await this.#metadata()
        this.#waking = false
        const wanted = this.#wanted(metadata)
        for (const broker of wanted.keys()) {
          if (this.#readers.has(broker)) continue
          this.#readers.add(broker)
          void this.#readFrom(broker)
        }
        return
      } catch {
        this.#waking = true
        await this.#standBack(failures)
      }
    }
  }

  async #readFrom(broker: number): Promise<void> {
    for (let failures = 0; !this.#closing.signal.aborted;) {
      try {
        const metadata = await this.#metadata()
        const wanted = this.#wanted(metadata).get(broker)
        const address = metadata.brokers.get(broker)
        if (!wanted || !address) break
        const fetched = await fetchFrom(await this.#pool.get(address), wanted)
        if (this.#closing.signal.aborted) break
        this.listener.alive()
        let refused = 0
        for (const each of fetched) if (!(await this.#take(each))) refused++
        failures = refused === 0 ? 0 : failures + 1
      } catch {
        failures++
      }
      if (failures > 0) await this.#standBack(failures)
    }
    this.#readers.delete(broker)
    // The partitions may have another leader now.
    if ([...this.#positions.values()].some(isRead)) this.#wake()
  }

  /** False: the broker did not give what was asked, and somebody else might. */
  async #take({ wanted, errorCode, records, next }: Fetched): Promise<boolean> {
    const position = this.#positions.get(partitionName(wanted))
    // Sought meanwhile, or assigned anew.
    if (!position || position.offset !== wanted.offset) return true
    if (errorCode === OFFSET_OUT_OF_RANGE) {
      const first = await this.#firstOf(wanted)
      if (position.offset === wanted.offset) position.offset = first
    } else if (errorCode !== 0) return false
    else if (next > wanted.offset) {
      position.offset = next
      this.listener.read(position.place, records, next)
    }
    return true
  }

  async #firstOf({ topic, partition }: TopicPartition): Promise<bigint | undefined> {
    const offsets = await this.#consumer.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp: FIRST })
    return offsets.get(topic)?.[partition]
  }

  /** By the broker that leads them. Throws where nobody leads one. */
  #wanted({ topics }: ClusterMetadata): ReadonlyMap<number, readonly Wanted[]> {
    const byLeader = new Map<number, Wanted[]>()
    for (const position of this.#positions.values()) {
      const { place, offset } = position
      if (!isRead(position) || offset === undefined) continue
      const topic = topics.get(place.topic)
      const { leader = -1, leaderEpoch = -1 } = topic?.partitions[place.partition] ?? {}
      if (!topic || leader < 0) throw new Error(`nobody leads ${partitionName(place)}`)
      const wanted = byLeader.get(leader)
      const each = { ...place, offset, topicId: topic.id, leaderEpoch }
      if (wanted) wanted.push(each)
      else byLeader.set(leader, [each])
    }
    return byLeader
  }

  #metadata(): Promise<ClusterMetadata> {
    return this.#consumer.metadata({ topics: [...this.options.topics] })
  }

  async #standBack(failures: number): Promise<void> {
    this.#consumer.clearMetadata()
    await sleep(Math.min(50 * 2 ** failures, MOST_PAUSE_MS), undefined, { signal: this.#closing.signal }).catch(() => undefined)
  }
}

const isRead = ({ offset, paused }: Position): boolean => offset !== undefined && !paused
