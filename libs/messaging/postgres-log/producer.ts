import { keyFault } from '../cloud-events.js'
import { DependencyUnavailable } from '../failure.js'
import { partitionOf } from '../partitioner.js'
import type { LogProducer, LogRecord, StoredRecord } from '../log.js'
import { UnknownTopic } from '../unknown-topic.js'
import type { Hub } from './hub.js'

const MOST_RECORDS = 1_000
const MOST_WAITING = 10_000
const MOST_BYTES = 4 * 1024 * 1024

interface Placed {
  readonly record: LogRecord
  readonly headers: Buffer
  readonly id: number
  readonly partition: number
}

interface Waiting {
  readonly records: readonly LogRecord[]
  resolve(): void
  reject(error: unknown): void
}

/** One `append` at a time: one round trip, one commit. What is sent while one is under way goes together in the next, in order. */
export class PostgresProducer implements LogProducer {
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #closed = false

  constructor(private readonly hub: Hub) {}

  send(records: readonly LogRecord[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the producer is closed'))
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(new DependencyUnavailable('too many sends wait for the log'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const sends: Waiting[] = []
      let count = 0
      do {
        const next = this.#waiting.shift()
        if (!next) break
        sends.push(next)
        count += next.records.length
      } while (count + (this.#waiting[0]?.records.length ?? 0) <= MOST_RECORDS)
      await this.#together(sends)
    }
    // In the same breath as the look that found nothing waiting: a send in between would wait for good.
    this.#running = undefined
  }

  async #together(sends: readonly Waiting[]): Promise<void> {
    const placed: Placed[] = []
    const good: Waiting[] = []
    for (const send of sends) {
      try {
        placed.push(...(await this.#place(send.records)))
        good.push(send)
      } catch (error) {
        send.reject(error)
      }
    }
    try {
      for (const chunk of chunks(placed)) await this.#append(chunk)
      for (const { resolve } of good) resolve()
    } catch (error) {
      for (const { reject } of good) reject(error)
    }
  }

  async #place(records: readonly LogRecord[]): Promise<readonly Placed[]> {
    const placed: Placed[] = []
    for (const record of records) {
      const topic = this.hub.knownTopic(record.topic) ?? (await this.hub.topic(record.topic))
      if (!topic) throw new UnknownTopic(record.topic)
      const fault = keyFault(record.key)
      if (fault) throw new TypeError(`${record.topic}: ${fault}`)
      const partition = partitionOf(record.key, topic.partitions.length)
      placed.push({ record, headers: Buffer.from(JSON.stringify(record.headers)), id: topic.partitions[partition] ?? 0, partition })
    }
    return placed
  }

  async #append(chunk: readonly Placed[]): Promise<void> {
    const groups = new Map<number, Placed[]>()
    for (const placed of chunk) {
      const group = groups.get(placed.id)
      if (group) group.push(placed)
      else groups.set(placed.id, [placed])
    }
    const ids = [...groups.keys()].sort((a, b) => a - b)
    const columns = pack(ids.map((id) => groups.get(id) ?? []))
    const { rows } = await this.hub.pool.query<{ bases: bigint[] }>({
      name: 'log-append',
      text: 'SELECT append($1, $2, $3, $4, $5, $6, $7, $8, $9) AS bases',
      values: [ids, ids.map((id) => groups.get(id)?.length ?? 0), ...columns],
    })
    const bases = (rows[0]?.bases ?? []).map(BigInt)
    const timestamp_ms = Number(bases.at(-1) ?? 0n)
    ids.forEach((id, index) => this.hub.appended(id, stored(groups.get(id) ?? [], bases[index] ?? 0n, timestamp_ms)))
    this.hub.ring(ids)
  }
}

function* chunks(placed: readonly Placed[]): Generator<readonly Placed[]> {
  let chunk: Placed[] = []
  let bytes = 0
  for (const each of placed) {
    const size = each.headers.length + each.record.value.length
    if (chunk.length > 0 && (chunk.length === MOST_RECORDS || bytes + size > MOST_BYTES)) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(each)
    bytes += size
  }
  if (chunk.length > 0) yield chunk
}

/** The columns of `append`: place, keys, and everything else in one buffer, which travels as bytes. */
const pack = (groups: readonly (readonly Placed[])[]): readonly unknown[] => {
  const partition: number[] = []
  const rank: number[] = []
  const keys: string[] = []
  const starts: number[] = []
  const headers: number[] = []
  const values: number[] = []
  const body: Uint8Array[] = []
  let at = 1
  groups.forEach((group, index) =>
    group.forEach((placed, place) => {
      partition.push(index + 1)
      rank.push(place)
      keys.push(placed.record.key)
      starts.push(at)
      headers.push(placed.headers.length)
      values.push(placed.record.value.length)
      body.push(placed.headers, placed.record.value)
      at += placed.headers.length + placed.record.value.length
    }),
  )
  return [partition, rank, keys, starts, headers, values, Buffer.concat(body)]
}

const stored = (group: readonly Placed[], base: bigint, timestamp_ms: number): readonly StoredRecord[] =>
  group.map(({ record, partition }, index) => ({ ...record, partition, offset: base + BigInt(index), timestamp_ms }))
