import { randomUUID } from 'node:crypto'
import { Lane } from '../lane.js'
import { partitionName, type ConsumeOptions, type LogConsumer, type Standing, type TopicPartition } from '../log.js'
import { Wakeup } from '../wakeup.js'
import type { Hub, Subscriber } from './hub.js'

interface Assigned {
  readonly id: number
  readonly epoch: bigint
  readonly lane: Lane
  leaving: boolean
}

interface BeatRow {
  readonly partition_id: number
  readonly epoch: bigint
  readonly surplus: boolean
  readonly topic: string
  readonly number: number
  readonly next: bigint
  readonly alone: boolean
}

const CLOSE_MS = 10_000

/** A group's member: beats, takes up what it is given, gives back what is surplus once its batch has ended. */
export class GroupMember implements LogConsumer, Subscriber {
  readonly group: string
  readonly #id = randomUUID()
  readonly #assigned = new Map<number, Assigned>()
  readonly #paused = new Set<string>()
  readonly #wakeup = new Wakeup()
  readonly #closing = new AbortController()
  #aliveUntil: number
  #beating: Promise<void> | undefined
  #draining = false

  constructor(
    private readonly hub: Hub,
    private readonly options: ConsumeOptions,
    private readonly ttl_ms: number,
    private readonly onClosed: () => void,
  ) {
    this.group = options.group
    this.#aliveUntil = hub.clock.now() + ttl_ms
  }

  async join(): Promise<void> {
    await this.hub.subscribe(this)
    await this.#beat().catch(() => undefined)
    this.hub.ringGroup(this.group)
    this.#beating = this.#keepBeating()
  }

  healthy(): boolean {
    return this.hub.clock.now() <= this.#aliveUntil
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#assigned.values()].map(({ lane }) => lane.place)
  }

  pause(partition: TopicPartition): void {
    this.#paused.add(partitionName(partition))
    this.#laneOf(partition)?.pause()
  }

  resume(partition: TopicPartition): void {
    this.#paused.delete(partitionName(partition))
    this.#laneOf(partition)?.resume()
  }

  onNews(partitions: readonly number[] | undefined): void {
    if (partitions === undefined) for (const { lane } of this.#assigned.values()) lane.kick()
    else for (const partition of partitions) this.#assigned.get(partition)?.lane.kick()
  }

  onRebalance(): void {
    this.#wakeup.ring()
  }

  /** A lane begins anew, and so asks where to go on. */
  onWentBack(partitions: readonly number[]): void {
    for (const id of partitions) {
      const mine = this.#assigned.get(id)
      if (mine) this.#lose(id, mine.lane)
    }
    this.#wakeup.ring()
  }

  async tell(standings: readonly Standing[]): Promise<void> {
    const ids = new Map([...this.#assigned].map(([id, { lane }]) => [partitionName(lane.place), id]))
    const told = standings.flatMap((standing) => {
      const id = ids.get(partitionName(standing))
      return id === undefined ? [] : [{ id, ...standing }]
    })
    if (told.length === 0) return
    await this.hub.pool.query({
      name: 'log-tell',
      text: 'SELECT tell($1, $2, $3, $4, $5, $6, $7, $8)',
      values: [
        this.group,
        this.#id,
        told.map(({ id }) => id),
        told.map(({ next }) => next),
        told.map(({ deferred }) => deferred),
        told.map(({ parked }) => parked),
        told.map(({ gap }) => gap ?? null),
        told.map(({ breaker }) => breaker ?? null),
      ],
    })
  }

  async close(timeout_ms = CLOSE_MS): Promise<void> {
    if (this.#draining) return void (await this.#beating)
    this.#draining = true
    const lanes = [...this.#assigned.values()].map(({ lane }) => lane)
    const drained = Promise.all(lanes.map((lane) => lane.stop()))
    const bound = new AbortController()
    const late = this.hub.clock.sleep(timeout_ms, bound.signal).catch(() => undefined)
    await Promise.race([drained, late])
    bound.abort()
    for (const lane of lanes) lane.abort()
    this.#closing.abort(new Error('the consumer closes'))
    await this.#beating
    for (const { lane } of this.#assigned.values()) this.options.onRevoked?.(lane.place)
    this.#assigned.clear()
    this.hub.unsubscribe(this)
    await this.#release([], true).catch(() => undefined)
    this.onClosed()
  }

  /** For tests: stops without a word, as a killed process does. */
  async die(): Promise<void> {
    this.#draining = true
    for (const { lane } of this.#assigned.values()) lane.abort()
    this.#assigned.clear()
    this.#closing.abort(new Error('dead'))
    this.hub.unsubscribe(this)
    await this.#beating
    this.onClosed()
  }

  #laneOf(partition: TopicPartition): Lane | undefined {
    return [...this.#assigned.values()].find(({ lane }) => partitionName(lane.place) === partitionName(partition))?.lane
  }

  async #keepBeating(): Promise<void> {
    let since = this.#wakeup.since()
    while (!this.#closing.signal.aborted) {
      await this.#wakeup.wait(this.hub.clock, (this.ttl_ms / 3) * (0.8 + this.hub.random.next() * 0.2), this.#closing.signal, since)
      if (this.#closing.signal.aborted) return
      // Taken before it asks: what rings meanwhile, and what rings because it failed, makes it ask again.
      since = this.#wakeup.since()
      try {
        await this.#beat()
      } catch {
        if (!this.healthy()) this.#loseAll()
        // A server that is away is asked again soon, so that the lease is kept if it comes back in time.
        await this.hub.clock.sleep(Math.min(500, this.ttl_ms / 10), this.#closing.signal).catch(() => undefined)
        this.#wakeup.ring()
      }
    }
  }

  async #beat(): Promise<void> {
    const asked = this.hub.clock.now()
    const { rows } = await this.hub.pool.query<BeatRow>({
      name: 'log-beat',
      text: 'SELECT * FROM beat($1, $2, $3, $4, $5)',
      values: [this.group, this.#id, this.hub.id, this.options.topics, this.ttl_ms],
    })
    this.#aliveUntil = asked + this.ttl_ms
    this.hub.foundAlone(rows[0]?.alone ?? false, this.#aliveUntil)
    if (this.#draining) return
    const given = new Set(rows.map(({ partition_id }) => partition_id))
    for (const [id, { lane }] of this.#assigned) if (!given.has(id)) this.#lose(id, lane)
    for (const row of rows) this.#take(row)
  }

  #take(row: BeatRow): void {
    this.hub.learn(row.partition_id, row.next)
    const mine = this.#assigned.get(row.partition_id)
    if (mine && mine.epoch === row.epoch) {
      if (row.surplus) this.#giveBack(mine)
      else mine.lane.kick()
      return
    }
    if (mine) this.#lose(row.partition_id, mine.lane)
    if (row.surplus) return void this.#release([row.partition_id], false).catch(() => undefined)
    const lane = this.#lane(row)
    this.#assigned.set(row.partition_id, { id: row.partition_id, epoch: row.epoch, lane, leaving: false })
    if (this.#paused.has(partitionName(lane.place))) lane.pause()
    lane.start()
  }

  #lane(row: BeatRow): Lane {
    const { hub } = this
    const id = row.partition_id
    const place = { topic: row.topic, partition: row.number }
    const lane: Lane = new Lane(
      place,
      {
        ready: (offset, limit) => hub.tail(id)?.from(offset, limit) ?? [],
        more: (offset) => hub.end(id) > offset,
        fetch: (from, limit, generation) => {
          // Whatever is before this end and does not come was removed by retention.
          const end = hub.end(id)
          hub.fetch({
            partition: id,
            place,
            from,
            limit,
            done: (records) => lane.fill(records, generation, end),
            failed: () => lane.fetchFailed(generation),
          })
        },
      },
      this.options,
      hub.clock,
      hub.random,
    )
    return lane
  }

  #giveBack(assigned: Assigned): void {
    if (assigned.leaving) return
    assigned.leaving = true
    void assigned.lane.stop().then(async () => {
      if (this.#assigned.get(assigned.id) !== assigned) return
      this.#assigned.delete(assigned.id)
      this.options.onRevoked?.(assigned.lane.place)
      await this.#release([assigned.id], false).catch(() => undefined)
    })
  }

  #lose(id: number, lane: Lane): void {
    this.#assigned.delete(id)
    lane.abort()
    void lane.stop().then(() => {
      if (!this.#assigned.has(id)) this.options.onRevoked?.(lane.place)
    })
  }

  #loseAll(): void {
    for (const [id, { lane }] of this.#assigned) this.#lose(id, lane)
  }

  async #release(partitions: readonly number[], leave: boolean): Promise<void> {
    await this.hub.pool.query({
      name: 'log-release',
      text: 'SELECT release($1, $2, $3, $4)',
      values: [this.group, this.#id, partitions, leave],
    })
    this.hub.ringGroup(this.group)
  }
}
