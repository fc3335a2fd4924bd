import { seededRandom } from '#kernel/testing'
import { systemClock, type Clock, type Random } from '#kernel'
import { Lane } from '../lane.js'
import {
  partitionName,
  type ConsumeOptions,
  type GroupStanding,
  type LogConsumer,
  type LogDriver,
  type LogProducer,
  type LogRecord,
  type PartitionOffsets,
  type Standing,
  type StoredRecord,
  type TopicPartition,
  type TopicSpec,
} from '../log.js'
import { partitionOf } from '../partitioner.js'

export interface Delivery {
  readonly group: string
  readonly partition: TopicPartition
  readonly records: readonly StoredRecord[]
  /** Hands it to the consumer; rejects as the consumer does. */
  run(): Promise<void>
}

/** Where a simulator takes hold. Without hooks everything happens at once. */
export interface MemoryLogHooks {
  /** Decides over a send: calls `store` never, once or twice, and resolves or rejects, as a network would have it. */
  send?(records: readonly LogRecord[], store: () => void): Promise<void>
  /** Decides when a delivery runs; rejecting without running it is a lost connection. */
  deliver?(delivery: Delivery): Promise<void>
}

export interface MemoryLogOptions {
  readonly clock?: Clock
  readonly random?: Random
  readonly hooks?: MemoryLogHooks
}

/** What a crash of a process leaves behind: the records, and who owns what. */
export class MemoryBroker {
  readonly #topics = new Map<string, { readonly spec: TopicSpec; readonly partitions: StoredRecord[][] }>()
  readonly #members = new Set<MemoryMember>()

  ensure(spec: TopicSpec): void {
    const partitions = this.#topics.get(spec.name)?.partitions ?? []
    while (partitions.length < spec.partitions) partitions.push([])
    this.#topics.set(spec.name, { spec, partitions })
    this.rebalance()
  }

  append(records: readonly LogRecord[], now_ms: number): void {
    for (const { topic } of records) if (!this.#topics.has(topic)) throw new Error(`no topic ${topic}`)
    for (const record of records) {
      const partitions = this.#topics.get(record.topic)?.partitions ?? []
      const partition = partitionOf(record.key, partitions.length)
      const stored = partitions[partition] ?? []
      stored.push({ ...record, partition, offset: BigInt(stored.length), timestamp_ms: now_ms })
    }
    for (const member of this.#members) member.kick()
  }

  /** Every record of a topic, partition by partition: for checks. */
  records(topic: string): readonly (readonly StoredRecord[])[] {
    return this.#topics.get(topic)?.partitions ?? []
  }

  offsets(topic: string): readonly PartitionOffsets[] {
    return this.records(topic).map((records, partition) => ({ partition, first: 0n, next: BigInt(records.length) }))
  }

  read({ topic, partition }: TopicPartition, from: bigint, limit: number): readonly StoredRecord[] {
    return this.records(topic)[partition]?.slice(Number(from), Number(from) + limit) ?? []
  }

  join(member: MemoryMember): void {
    this.#members.add(member)
    this.rebalance()
  }

  readonly #told = new Map<string, GroupStanding>()

  tell(group: string, standings: readonly Standing[], toldAt_ms: number): void {
    for (const each of standings) this.#told.set(`${group} ${partitionName(each)}`, { ...each, group, owned: true, toldAt_ms })
  }

  groups(): readonly GroupStanding[] {
    return [...this.#told.values()].map((told) => {
      const waiting = this.records(told.topic)[told.partition]?.slice(Number(told.next)) ?? []
      const [first] = waiting
      const { waitingSince_ms: _, ...rest } = told
      const owned = [...this.#members].some(({ group, topics }) => group === told.group && topics.includes(told.topic))
      return { ...rest, owned, lag: waiting.length, ...(first && { waitingSince_ms: first.timestamp_ms }) }
    })
  }

  /** The log is restored to an earlier state: what is from `next` on is gone. */
  truncate({ topic, partition }: TopicPartition, next: number): void {
    this.#topics.get(topic)?.partitions[partition]?.splice(next)
  }

  /** The topic is deleted; made anew it begins at 0. */
  remove(topic: string): void {
    this.#topics.delete(topic)
  }

  leave(member: MemoryMember): void {
    this.#members.delete(member)
    this.rebalance()
  }

  /** Shares each topic's partitions among its members, moving as few as it can; what moves is first given back by its holder. */
  rebalance(): void {
    for (const group of new Set([...this.#members].map((member) => member.group))) {
      for (const [topic, { partitions }] of this.#topics) this.#share(group, topic, partitions.length)
    }
  }

  #share(group: string, topic: string, count: number): void {
    const members = [...this.#members].filter((member) => member.group === group && member.topics.includes(topic))
    if (members.length === 0) return
    const wanted = (rank: number) => Math.floor(count / members.length) + (rank < count % members.length ? 1 : 0)
    members.forEach((member, rank) => member.giveBack(topic, member.held(topic).length - wanted(rank)))
    const taken = new Set(members.flatMap((member) => member.held(topic)))
    const free = Array.from({ length: count }, (_, partition) => partition).filter((partition) => !taken.has(partition))
    members.forEach((member, rank) => {
      for (let room = wanted(rank) - member.held(topic).length; room > 0; room--) {
        const partition = free.shift()
        if (partition !== undefined) member.take({ topic, partition })
      }
    })
  }
}

class MemoryMember implements LogConsumer {
  readonly group: string
  readonly topics: readonly string[]
  readonly #lanes = new Map<string, { readonly lane: Lane; leaving: boolean }>()
  readonly #paused = new Set<string>()
  #alive = true

  constructor(
    private readonly broker: MemoryBroker,
    private readonly options: ConsumeOptions,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly hooks: MemoryLogHooks,
  ) {
    this.group = options.group
    this.topics = options.topics
  }

  healthy(): boolean {
    return this.#alive
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#lanes.values()].map(({ lane }) => lane.place)
  }

  pause(partition: TopicPartition): void {
    this.#paused.add(partitionName(partition))
    this.#lanes.get(partitionName(partition))?.lane.pause()
  }

  resume(partition: TopicPartition): void {
    this.#paused.delete(partitionName(partition))
    this.#lanes.get(partitionName(partition))?.lane.resume()
  }

  held(topic: string): readonly number[] {
    return this.assignment().flatMap((place) => (place.topic === topic ? [place.partition] : []))
  }

  take(place: TopicPartition): void {
    const { broker, options, hooks } = this
    const lane = new Lane(
      place,
      { ready: (offset, limit) => broker.read(place, offset, limit), more: () => false, fetch: () => undefined },
      {
        ...options,
        onBatch: (partition, records, signal) => {
          const run = () => (this.#alive ? options.onBatch(partition, records, signal) : Promise.reject(new Error('the process is dead')))
          return hooks.deliver ? hooks.deliver({ group: this.group, partition, records, run }) : run()
        },
      },
      this.clock,
      this.random,
    )
    this.#lanes.set(partitionName(place), { lane, leaving: false })
    if (this.#paused.has(partitionName(place))) lane.pause()
    lane.start()
  }

  giveBack(topic: string, count: number): void {
    const leaving = [...this.#lanes.values()].filter((each) => each.lane.place.topic === topic).slice(0, Math.max(0, count))
    for (const each of leaving) {
      if (each.leaving) continue
      each.leaving = true
      void each.lane.stop().then(() => {
        if (!this.#lanes.delete(partitionName(each.lane.place))) return
        this.options.onRevoked?.(each.lane.place)
        this.broker.rebalance()
      })
    }
  }

  tell(standings: readonly Standing[]): Promise<void> {
    this.broker.tell(this.group, standings, this.clock.now())
    return Promise.resolve()
  }

  kick(): void {
    for (const { lane } of this.#lanes.values()) lane.kick()
  }

  /** The connection breaks: every partition goes back to its `startOffset`, as after a session time-out. */
  disconnect(): void {
    const places = this.assignment()
    this.#drop()
    this.broker.leave(this)
    if (this.#alive && places.length >= 0) this.broker.join(this)
  }

  async close(timeout_ms = 10_000): Promise<void> {
    if (!this.#alive) return
    const bound = new AbortController()
    const stopped = Promise.all([...this.#lanes.values()].map(({ lane }) => lane.stop()))
    await Promise.race([stopped, this.clock.sleep(timeout_ms, bound.signal).catch(() => undefined)])
    bound.abort(new Error('closed'))
    this.kill()
  }

  kill(): void {
    this.#alive = false
    this.#drop()
    this.broker.leave(this)
  }

  #drop(): void {
    const lanes = [...this.#lanes.values()]
    this.#lanes.clear()
    for (const { lane } of lanes) {
      lane.abort()
      this.options.onRevoked?.(lane.place)
    }
  }
}

/** One process's view of the broker: throw it away for a crash (`kill`), make another for the restart. */
export class MemoryLog implements LogDriver {
  readonly name = 'memory'
  readonly #members = new Set<MemoryMember>()
  readonly #clock: Clock
  readonly #random: Random
  readonly #hooks: MemoryLogHooks
  #dead = false

  constructor(
    readonly broker: MemoryBroker,
    options: MemoryLogOptions = {},
  ) {
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? seededRandom(1)
    this.#hooks = options.hooks ?? {}
  }

  ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const topic of topics) this.broker.ensure(topic)
    return Promise.resolve()
  }

  producer(): Promise<LogProducer> {
    let last: Promise<void> = Promise.resolve()
    const send = async (records: readonly LogRecord[]): Promise<void> => {
      if (this.#dead) throw new Error('the process is dead')
      const store = () => this.broker.append(records, this.#clock.now())
      if (this.#hooks.send) await this.#hooks.send(records, store)
      else store()
    }
    return Promise.resolve({
      send: (records) => {
        const mine = last.then(() => send(records))
        last = mine.catch(() => undefined)
        return mine
      },
      close: () => last,
    })
  }

  consume(options: ConsumeOptions): Promise<LogConsumer> {
    const member = new MemoryMember(this.broker, options, this.#clock, this.#random, this.#hooks)
    this.#members.add(member)
    this.broker.join(member)
    return Promise.resolve(member)
  }

  offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return Promise.resolve(this.broker.offsets(topic))
  }

  groups(): Promise<readonly GroupStanding[]> {
    return Promise.resolve(this.broker.groups())
  }

  async close(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.close()))
    this.#dead = true
  }

  /** SIGKILL: nothing of it acts any more, batches under way commit nothing through `run`. */
  kill(): void {
    this.#dead = true
    for (const member of this.#members) member.kill()
  }

  /** Every consumer of this process loses its connection and comes back. */
  disconnect(): void {
    for (const member of this.#members) member.disconnect()
  }
}

export const memoryLog = (broker = new MemoryBroker(), options: MemoryLogOptions = {}): MemoryLog => new MemoryLog(broker, options)
