import type { Clock, Random } from '#kernel'
import { backoff_ms } from '../backoff.js'
import { Lane } from '../lane.js'
import { partitionName, type ConsumeOptions, type LogConsumer, type Standing, type StoredRecord, type TopicPartition } from '../log.js'
import type { KafkaClient, KafkaMember } from './client.js'
import { writeStanding } from './standing.js'

export interface KafkaConsumerSettings {
  readonly sessionTimeout_ms: number
  readonly heartbeatInterval_ms: number
  readonly rebalanceTimeout_ms: number
  readonly clock: Clock
  readonly random: Random
  onClosed(): void
}

interface Held {
  readonly lane: Lane
  /** Which of the lane's fetches the member's position answers; undefined: it must seek first. */
  generation: number | undefined
  throttled: boolean
  handled: bigint | undefined
  standing: Standing | undefined
}

const COMMIT_EVERY_MS = 5_000
/**
 * Buffered records of one partition, and of all of a consumer, before fetching is paused. A pause ends only with a long poll, so it should be
 * seldom: it begins late and ends early, at half.
 */
const MOST_BUFFERED = 8_192
const MOST_BUFFERED_IN_ALL = 65_536
const CLOSE_MS = 10_000

/**
 * The client only fetches and keeps the membership; lanes deliver. So a slow partition holds nobody up, heartbeats go on during long batches,
 * and its position is always ours: after every join each partition is sought to where its lane is.
 */
export class KafkaConsumer implements LogConsumer {
  readonly #held = new Map<string, Held>()
  readonly #paused = new Set<string>()
  readonly #stopping = new AbortController()
  #member: KafkaMember | undefined
  #aliveUntil = 0
  #committer: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #restarts = 0

  constructor(
    private readonly client: KafkaClient,
    private readonly options: ConsumeOptions,
    private readonly settings: KafkaConsumerSettings,
  ) {}

  async start(): Promise<void> {
    const { sessionTimeout_ms, heartbeatInterval_ms, rebalanceTimeout_ms } = this.settings
    const { group, topics } = this.options
    this.#alive()
    const member = this.client.member(
      { group, topics, sessionTimeout_ms, heartbeatInterval_ms, rebalanceTimeout_ms },
      {
        alive: () => this.#alive(),
        rebalancing: () => this.#hold(),
        assigned: (partitions) => this.#assigned(partitions),
        read: (partition, records, next) => this.#read(partition, records, next),
        died: () => void this.#restart(),
      },
    )
    this.#member = member
    try {
      await member.start()
    } catch (error) {
      this.#member = undefined
      await member.close().catch(() => undefined)
      throw error
    }
    this.#committer ??= setInterval(() => void this.#commit().catch(() => undefined), COMMIT_EVERY_MS)
    this.#committer.unref()
  }

  healthy(): boolean {
    return this.settings.clock.now() <= this.#aliveUntil
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#held.values()].map(({ lane }) => lane.place)
  }

  pause(partition: TopicPartition): void {
    this.#paused.add(partitionName(partition))
    this.#held.get(partitionName(partition))?.lane.pause()
  }

  resume(partition: TopicPartition): void {
    this.#paused.delete(partitionName(partition))
    this.#held.get(partitionName(partition))?.lane.resume()
  }

  /** In the metadata of a commit, made at once; rejects where that fails. */
  async tell(standings: readonly Standing[]): Promise<void> {
    for (const standing of standings) {
      const held = this.#held.get(partitionName(standing))
      if (held) held.standing = standing
    }
    await this.#commit()
  }

  close(timeout_ms = CLOSE_MS): Promise<void> {
    this.#closing ??= this.#close(timeout_ms)
    return this.#closing
  }

  async #close(timeout_ms: number): Promise<void> {
    clearInterval(this.#committer)
    const lanes = [...this.#held.values()].map(({ lane }) => lane)
    const bound = new AbortController()
    await Promise.race([
      Promise.all(lanes.map((lane) => lane.stop())),
      this.settings.clock.sleep(timeout_ms, bound.signal).catch(() => undefined),
    ])
    bound.abort()
    this.#stopping.abort(new Error('the consumer closes'))
    await this.#commit().catch(() => undefined)
    this.#loseAll()
    await this.#member?.close().catch(() => undefined)
    this.settings.onClosed()
  }

  #alive(): void {
    this.#aliveUntil = this.settings.clock.now() + this.settings.sessionTimeout_ms
  }

  /** The group is about to share anew: what is under way may end, nothing begins. */
  #hold(): void {
    for (const { lane } of this.#held.values()) lane.pause()
  }

  #assigned(places: readonly TopicPartition[]): void {
    this.#alive()
    this.#restarts = 0
    if (this.#closing) return
    const names = new Set(places.map(partitionName))
    for (const [name, held] of this.#held) if (!names.has(name)) this.#lose(name, held)
    for (const place of places) {
      const name = partitionName(place)
      const held = this.#held.get(name) ?? this.#take(place)
      held.generation = undefined
      if (!this.#paused.has(name)) held.lane.resume()
      held.lane.refetch()
    }
  }

  #take(place: TopicPartition): Held {
    const lane: Lane = new Lane(
      place,
      { ready: () => [], more: () => true, fetch: (offset, _, generation) => this.#fetch(held, offset, generation) },
      {
        ...this.options,
        onBatch: async (partition, records, signal) => {
          await this.options.onBatch(partition, records, signal)
          held.handled = (records.at(-1)?.offset ?? 0n) + 1n
          if (held.throttled && held.generation !== undefined && held.lane.buffered < this.#room() / 2) this.#throttle(held, false)
        },
      },
      this.settings.clock,
      this.settings.random,
    )
    const held: Held = { lane, generation: undefined, throttled: false, handled: undefined, standing: undefined }
    this.#held.set(partitionName(place), held)
    if (this.#paused.has(partitionName(place))) lane.pause()
    lane.start()
    return held
  }

  #lose(name: string, { lane }: Held): void {
    this.#held.delete(name)
    lane.abort()
    void lane.stop().then(() => {
      if (!this.#held.has(name)) this.options.onRevoked?.(lane.place)
    })
  }

  #loseAll(): void {
    for (const [name, held] of this.#held) this.#lose(name, held)
  }

  /** A lane wants records from `offset` on. */
  #fetch(held: Held, offset: bigint, generation: number): void {
    if (held.generation === generation) {
      if (held.throttled) this.#throttle(held, false)
      return
    }
    try {
      this.#member?.seek(held.lane.place, offset)
      held.generation = generation
      held.throttled = false
    } catch {
      // It is between two memberships: the next assignment asks the lane again.
      held.generation = undefined
    }
  }

  #throttle(held: Held, throttled: boolean): void {
    held.throttled = throttled
    try {
      if (throttled) this.#member?.pause(held.lane.place)
      else this.#member?.resume(held.lane.place)
    } catch {
      // As above.
    }
  }

  #room(): number {
    return Math.min(MOST_BUFFERED, Math.ceil(MOST_BUFFERED_IN_ALL / Math.max(1, this.#held.size)))
  }

  #read(partition: TopicPartition, records: readonly StoredRecord[], next: bigint): void {
    const held = this.#held.get(partitionName(partition))
    if (!held || held.generation === undefined) return
    held.lane.fill(records, held.generation, next)
    if (!held.throttled && held.lane.buffered > this.#room()) this.#throttle(held, true)
  }

  /** Only a hint for lag tools: where to go on is in the consumer's own database. */
  async #commit(): Promise<void> {
    const now = this.settings.clock.now()
    const offsets = [...this.#held.values()].flatMap(({ lane, handled, standing }) => {
      const next = handled ?? standing?.next
      if (next === undefined) return []
      return [{ ...lane.place, offset: next, metadata: standing ? writeStanding(standing, now) : null }]
    })
    if (offsets.length > 0) await this.#member?.commit(offsets)
  }

  async #restart(): Promise<void> {
    const dead = this.#member
    this.#member = undefined
    this.#loseAll()
    await dead?.close().catch(() => undefined)
    const { clock, random } = this.settings
    await clock.sleep(backoff_ms(++this.#restarts, random, 200, 10_000), this.#stopping.signal).catch(() => undefined)
    if (this.#stopping.signal.aborted || this.#closing) return
    const alive = this.#aliveUntil
    await this.start().catch(() => {
      this.#aliveUntil = alive
      void this.#restart()
    })
  }
}
