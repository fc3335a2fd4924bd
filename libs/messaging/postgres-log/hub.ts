import type { Clock, Random } from '#kernel'
import { copyOut, createPool, listen, type PostgresConfig } from '#postgres'
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { StoredRecord, TopicPartition } from '../log.js'
import { Tail } from './tail.js'

export interface Topic {
  readonly name: string
  /** Partition number to the partition's id. */
  readonly partitions: readonly number[]
}

/** What wants to hear of new records and of changes in its group. */
export interface Subscriber {
  readonly group: string
  /** Of these partitions something is new; undefined: perhaps of any. */
  onNews(partitions: readonly number[] | undefined): void
  /** Members came or went. */
  onRebalance(): void
  /** These partitions end before where they ended: the database was restored to the past. */
  onWentBack(partitions: readonly number[]): void
}

/** Asks for records of a partition; one query answers all that ask at the same time. */
export interface Fetch {
  readonly partition: number
  readonly place: TopicPartition
  readonly from: bigint
  readonly limit: number
  done(records: readonly StoredRecord[]): void
  failed(error: unknown): void
}

const TOPICS_FRESH_MS = 10_000
const MOST_PAYLOAD = 7_000
/** By then every process has heard that this one listens. */
const SECOND_LOOK_MS = 500
const RETAIN_EVERY_MS = 60_000
const RETAIN_LIMIT = 1_000
const RETAIN_ROUNDS = 20
/** Records in a fetch from which on they are copied, and not selected: at 50 it saved little, at 100 a third. */
const WORTH_A_COPY = 100
/** New records of a partition before it is compacted. */
const COMPACT_LEAST = 1_000

/**
 * One process's window on the log: one pool, one doorbell connection, one fetch at a time for all consumers, and the ends of partitions as
 * far as they are known. Doorbells are rung after the commit, together, on a statement of their own: NOTIFY holds a lock over the whole
 * instance until its transaction ends, and inside the append that would be as long as the disk takes.
 */
export class Hub {
  readonly id = randomUUID()
  readonly pool: pg.Pool
  #aloneUntil = 0
  readonly #channel: string
  readonly #subscribers = new Set<Subscriber>()
  readonly #ends = new Map<number, bigint>()
  readonly #tails = new Map<number, Tail>()
  #topics: { readonly byName: ReadonlyMap<string, Topic>; readonly until: number } | undefined
  #bell: Promise<{ close(): Promise<void> }> | undefined
  #poller: NodeJS.Timeout | undefined
  #retainer: NodeJS.Timeout | undefined
  #fetches: Fetch[] = []
  #fetching = false
  #toRing = new Set<string>()
  #ringing = false
  #closed = false

  constructor(
    readonly config: PostgresConfig,
    readonly clock: Clock,
    readonly random: Random,
    private readonly poll_ms: number,
  ) {
    this.pool = createPool(config)
    this.#channel = `bahi_${config.schema}`
  }

  /** Begins to listen with the first subscriber. */
  async subscribe(subscriber: Subscriber): Promise<void> {
    this.#subscribers.add(subscriber)
    this.#bell ??= listen(this.config, this.#channel, (payload) => this.#onRing(payload), this.random)
    this.#poller ??= setInterval(() => void this.poll(), this.poll_ms * (0.9 + this.random.next() * 0.2))
    this.#retainer ??= setInterval(() => void this.retain().catch(() => undefined), RETAIN_EVERY_MS * (0.9 + this.random.next() * 0.2))
    this.#retainer.unref()
    await this.#bell
    setTimeout(() => void this.poll(), SECOND_LOOK_MS).unref()
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
  }

  /** Without asking the database; undefined when it must be asked. */
  knownTopic(name: string): Topic | undefined {
    return this.#topics && this.clock.now() < this.#topics.until ? this.#topics.byName.get(name) : undefined
  }

  async topic(name: string): Promise<Topic | undefined> {
    const known = this.knownTopic(name)
    if (known) return known
    const { rows } = await this.pool.query<{ name: string; ids: number[] }>({
      name: 'log-topics',
      text: `SELECT t.name, array_agg(p.id ORDER BY p.number) AS ids FROM topic t JOIN partition p ON p.topic_id = t.id GROUP BY t.name`,
    })
    const byName = new Map(rows.map(({ name, ids }) => [name, { name, partitions: ids }]))
    this.#topics = { byName, until: this.clock.now() + TOPICS_FRESH_MS }
    return byName.get(name)
  }

  forgetTopics(): void {
    this.#topics = undefined
  }

  /** The next offset of a partition, as far as this process knows. */
  end(partition: number): bigint {
    return this.#ends.get(partition) ?? 0n
  }

  /** What this process appended and the database committed. */
  appended(partition: number, records: readonly StoredRecord[]): void {
    const last = records.at(-1)
    if (!last) return
    if (this.#subscribers.size > 0) {
      let tail = this.#tails.get(partition)
      if (!tail) this.#tails.set(partition, (tail = new Tail()))
      tail.add(records)
    }
    this.#learn(partition, last.offset + 1n)
  }

  tail(partition: number): Tail | undefined {
    return this.#tails.get(partition)
  }

  /** Tells the consumers in this process at once, and those in others by one NOTIFY for all that is waiting. */
  ring(partitions: readonly number[]): void {
    this.#tell(partitions)
    if (this.clock.now() < this.#aloneUntil) return
    for (const partition of partitions) this.#toRing.add(`${partition}:${this.end(partition)}`)
    void this.#ringOthers()
  }

  /**
   * A heartbeat found no consumer in another process: until the next one nobody else need hear of new records. One that joins rings every
   * process, and polls once more after that.
   */
  foundAlone(alone: boolean, until_ms: number): void {
    this.#aloneUntil = alone ? until_ms : 0
  }

  ringGroup(group: string): void {
    this.#toRing.add(`g:${group}`)
    void this.#ringOthers()
  }

  /** The beat told it: `next` of a partition. */
  learn(partition: number, next: bigint): void {
    this.#learn(partition, next)
  }

  /** The slow poll behind the doorbell. */
  async poll(): Promise<void> {
    if (this.#closed) return
    // What is known before the question is committed before the answer: an end below it has gone back.
    const known = new Map(this.#ends)
    try {
      const { rows } = await this.pool.query<{ id: number; next: bigint }>({ name: 'log-ends', text: 'SELECT id, next FROM partition' })
      this.#goBack(rows.filter(({ id, next }) => next < (known.get(id) ?? 0n)))
      const news = rows.filter(({ id, next }) => this.#learn(id, next)).map(({ id }) => id)
      if (news.length > 0) this.#tell(news)
    } catch {
      // The next poll tries again; consumers report their health by their own heartbeats.
    }
  }

  fetch(fetch: Fetch): void {
    this.#fetches.push(fetch)
    if (!this.#fetching) void this.#fetchAll()
  }

  /** Removes what is past its topic's retention, and what is outdated in a compacted one, in bounded steps. */
  async retain(): Promise<void> {
    for (let round = 0; round < RETAIN_ROUNDS && !this.#closed; round++) {
      const { rows } = await this.pool.query<{ removed: bigint }>(`SELECT retain(${RETAIN_LIMIT}) + compact(${COMPACT_LEAST}) AS removed`)
      if (rows[0]?.removed === 0n) return
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#poller)
    clearInterval(this.#retainer)
    await (await this.#bell)?.close()
    await this.pool.end()
  }

  async #fetchAll(): Promise<void> {
    this.#fetching = true
    while (this.#fetches.length > 0) {
      const asked = this.#fetches
      this.#fetches = []
      try {
        const records = await this.#query(asked)
        asked.forEach((fetch, index) => fetch.done(records[index] ?? []))
      } catch (error) {
        for (const fetch of asked) fetch.failed(error)
      }
    }
    this.#fetching = false
  }

  /** Every column of every record costs the process that reads it: what is known is not asked for. */
  async #query(asked: readonly Fetch[]): Promise<readonly (readonly StoredRecord[])[]> {
    const expected = asked.reduce((sum, { partition, from, limit }) => sum + Math.min(limit, Number(this.end(partition) - from)), 0)
    const rows = await (expected >= WORTH_A_COPY ? this.#copied(asked) : this.#selected(asked))
    const answers: StoredRecord[][] = asked.map(() => [])
    for (const [n, offset, recorded_at_ms, key, headers, value] of rows) {
      const place = asked[n]?.place
      if (!place) continue
      const timestamp_ms = Number(recorded_at_ms)
      const { topic, partition } = place
      answers[n]?.push({ topic, partition, offset, timestamp_ms, key, headers: JSON.parse(headers) as Record<string, string>, value })
    }
    return answers
  }

  async #selected(asked: readonly Fetch[]): Promise<readonly Row[]> {
    const { rows } = await this.pool.query<Row>({
      name: 'log-fetch',
      // A row is no object of its own.
      rowMode: 'array',
      text: `SELECT w.n::int - 1, r."offset", r.recorded_at_ms, r.key, r.headers, r.value
        FROM unnest($1::int[], $2::bigint[], $3::int[]) WITH ORDINALITY AS w (id, start, most, n)
        CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.partition_id = w.id AND r."offset" >= w.start ORDER BY r."offset" LIMIT w.most) r
        ORDER BY w.n, r."offset"`,
      values: [asked.map(({ partition }) => partition), asked.map(({ from }) => from), asked.map(({ limit }) => limit)],
    })
    return rows
  }

  /** It is planned each time, which a page of some size is worth: a third less processor time a record, of both sides together. */
  async #copied(asked: readonly Fetch[]): Promise<readonly Row[]> {
    const pages = asked.map(
      ({ partition, from, limit }, n) => `(SELECT ${n}, "offset", recorded_at_ms, key, headers, value
        FROM record WHERE partition_id = ${partition} AND "offset" >= ${from} ORDER BY "offset" LIMIT ${limit})`,
    )
    const client = await this.pool.connect()
    try {
      return await copyOut(client, pages.join(' UNION ALL '), (row): Row => [
        row.int4(),
        row.int8(),
        row.int8(),
        row.text(),
        row.text(),
        row.bytea(),
      ])
    } finally {
      client.release()
    }
  }

  #goBack(ends: readonly { readonly id: number; readonly next: bigint }[]): void {
    if (ends.length === 0) return
    for (const { id, next } of ends) {
      this.#ends.set(id, next)
      this.#tails.delete(id)
    }
    for (const subscriber of this.#subscribers) subscriber.onWentBack(ends.map(({ id }) => id))
  }

  #learn(partition: number, next: bigint): boolean {
    if (next <= this.end(partition)) return false
    this.#ends.set(partition, next)
    return true
  }

  #tell(partitions: readonly number[] | undefined): void {
    for (const subscriber of this.#subscribers) subscriber.onNews(partitions)
  }

  #onRing(payload: string | undefined): void {
    if (payload === undefined || payload === '') {
      void this.poll()
      for (const subscriber of this.#subscribers) subscriber.onRebalance()
      return
    }
    const news: number[] = []
    for (const word of payload.split(' ')) {
      if (word.startsWith('g:')) {
        this.#aloneUntil = 0
        for (const subscriber of this.#subscribers) if (subscriber.group === word.slice(2)) subscriber.onRebalance()
        continue
      }
      const [partition, next] = word.split(':')
      if (partition && next && this.#learn(Number(partition), BigInt(next))) news.push(Number(partition))
    }
    if (news.length > 0) this.#tell(news)
  }

  async #ringOthers(): Promise<void> {
    if (this.#ringing) return
    this.#ringing = true
    try {
      while (this.#toRing.size > 0 && !this.#closed) {
        const payload = [...this.#toRing].join(' ')
        this.#toRing.clear()
        await this.pool.query({
          name: 'log-ring',
          text: 'SELECT pg_notify($1, $2)',
          values: [this.#channel, payload.length > MOST_PAYLOAD ? '' : payload],
        })
      }
    } catch {
      // A doorbell may be missed: the slow poll is behind it.
    } finally {
      this.#ringing = false
    }
  }
}

type Row = [n: number, offset: bigint, recorded_at_ms: bigint, key: string, headers: string, value: Buffer]
