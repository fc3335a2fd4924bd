import type { Clock, Random } from '#kernel'
import type { Consumer, EachBatchPayload, IHeaders, Kafka, KafkaMessage } from 'kafkajs'
import { backoff_ms } from '../backoff.js'
import { Lane } from '../lane.js'
import { writeStanding } from './standing.js'
import { partitionName, type ConsumeOptions, type LogConsumer, type Standing, type StoredRecord, type TopicPartition } from '../log.js'

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
  /** Which of the lane's fetches kafkajs's position answers; undefined: it must seek first. */
  generation: number | undefined
  throttled: boolean
  handled: bigint | undefined
  standing: Standing | undefined
}

/** Long polls are short, because a seek and a resume wait for the one under way. */
const MOST_WAIT_MS = 250
const COMMIT_EVERY_MS = 5_000
/**
 * Buffered records of one partition, and of all of a consumer, before fetching is paused. A pause ends only with a long poll, so it should be
 * seldom: it begins late and ends early, at half.
 */
const MOST_BUFFERED = 8_192
const MOST_BUFFERED_IN_ALL = 65_536
const CLOSE_MS = 10_000

/**
 * kafkajs only fetches and keeps the membership; lanes deliver. So a slow partition holds nobody up (kafkajs#1688), heartbeats go on during
 * long batches, and its position is always ours: after every join each partition is sought to where its lane is.
 */
export class KafkaConsumer implements LogConsumer {
  readonly #held = new Map<string, Held>()
  readonly #paused = new Set<string>()
  readonly #stopping = new AbortController()
  #consumer: Consumer | undefined
  #aliveUntil = 0
  #committer: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #restarts = 0

  constructor(
    private readonly kafka: Kafka,
    private readonly options: ConsumeOptions,
    private readonly settings: KafkaConsumerSettings,
  ) {}

  async start(): Promise<void> {
    const { sessionTimeout_ms, heartbeatInterval_ms, rebalanceTimeout_ms } = this.settings
    this.#alive()
    const consumer = this.kafka.consumer({
      groupId: this.options.group,
      sessionTimeout: sessionTimeout_ms,
      heartbeatInterval: heartbeatInterval_ms,
      rebalanceTimeout: rebalanceTimeout_ms,
      maxWaitTimeInMs: MOST_WAIT_MS,
      allowAutoTopicCreation: false,
      metadataMaxAge: 30_000,
      // Its own endless restarts hide a dead consumer: it is made anew here, with backoff, and unhealthy until it is back.
      retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
    })
    this.#consumer = consumer
    const { HEARTBEAT, FETCH, GROUP_JOIN, REBALANCING, CRASH } = consumer.events
    consumer.on(HEARTBEAT, () => this.#alive())
    consumer.on(FETCH, () => this.#alive())
    consumer.on(REBALANCING, () => this.#hold())
    consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment))
    consumer.on(CRASH, () => void this.#restart())
    await consumer.connect()
    await consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 16,
      eachBatch: (payload) => this.#arrived(payload),
    })
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

  /** It goes with the next commit. */
  tell(standings: readonly Standing[]): Promise<void> {
    for (const standing of standings) {
      const held = this.#held.get(partitionName(standing))
      if (held) held.standing = standing
    }
    return Promise.resolve()
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
    await this.#consumer?.disconnect().catch(() => undefined)
    this.settings.onClosed()
  }

  #alive(): void {
    this.#aliveUntil = this.settings.clock.now() + this.settings.sessionTimeout_ms
  }

  /** The group is about to share anew: what is under way may end, nothing begins. */
  #hold(): void {
    for (const { lane } of this.#held.values()) lane.pause()
  }

  #joined(assignment: Readonly<Record<string, number[]>>): void {
    this.#alive()
    this.#restarts = 0
    if (this.#closing) return
    const places = Object.entries(assignment).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))
    const names = new Set(places.map(partitionName))
    for (const [name, held] of this.#held) if (!names.has(name)) this.#lose(name, held)
    for (const place of places) {
      const name = partitionName(place)
      const held = this.#held.get(name) ?? this.#take(place)
      // Until it is sought, what comes is from a place that is not ours.
      this.#pauseFetch(held, true)
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
          if (held.throttled && held.generation !== undefined && held.lane.buffered < this.#room() / 2) this.#pauseFetch(held, false)
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
    const { topic, partition } = held.lane.place
    try {
      if (held.generation !== generation) {
        this.#consumer?.seek({ topic, partition, offset: offset.toString() })
        held.generation = generation
        this.#pauseFetch(held, false)
      } else if (held.throttled) this.#pauseFetch(held, false)
    } catch {
      // It is between two memberships: the next join asks the lane again.
      held.generation = undefined
    }
  }

  #pauseFetch(held: Held, paused: boolean): void {
    const { topic, partition } = held.lane.place
    held.throttled = paused
    try {
      if (paused) this.#consumer?.pause([{ topic, partitions: [partition] }])
      else this.#consumer?.resume([{ topic, partitions: [partition] }])
    } catch {
      // As above.
    }
  }

  #room(): number {
    return Math.min(MOST_BUFFERED, Math.ceil(MOST_BUFFERED_IN_ALL / Math.max(1, this.#held.size)))
  }

  #arrived({ batch, resolveOffset, isStale }: EachBatchPayload): Promise<void> {
    const held = this.#held.get(partitionName(batch))
    if (!held || held.generation === undefined || isStale()) {
      if (held && held.generation === undefined) this.#pauseFetch(held, true)
      return Promise.resolve()
    }
    const records = batch.messages.map((message) => toRecord(batch.topic, batch.partition, message))
    resolveOffset(batch.lastOffset())
    held.lane.fill(records, held.generation, BigInt(batch.lastOffset()) + 1n)
    if (held.lane.buffered > this.#room()) this.#pauseFetch(held, true)
    return Promise.resolve()
  }

  /** Only a hint for lag tools: where to go on is in the consumer's own database. */
  async #commit(): Promise<void> {
    const now = this.settings.clock.now()
    const offsets = [...this.#held.values()].flatMap(({ lane, handled, standing }) => {
      const next = handled ?? standing?.next
      if (next === undefined) return []
      return [{ ...lane.place, offset: next.toString(), metadata: standing ? writeStanding(standing, now) : null }]
    })
    if (offsets.length > 0) await this.#consumer?.commitOffsets(offsets)
  }

  async #restart(): Promise<void> {
    const dead = this.#consumer
    this.#consumer = undefined
    this.#loseAll()
    await dead?.disconnect().catch(() => undefined)
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
