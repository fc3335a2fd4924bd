import { partitionOf } from '../partitioner.js'
import type { LogProducer, LogRecord, StoredRecord } from '../log.js'
import type { Hub } from './hub.js'

const MOST_RECORDS = 1_000
const MOST_BYTES = 4 * 1024 * 1024

/** A topic that was never ensured. */
export class UnknownTopic extends Error {
  override readonly name = 'UnknownTopic'
  constructor(readonly topic: string) {
    super(`no topic ${topic}`)
  }
}

interface Placed {
  readonly record: LogRecord
  readonly headers: Buffer
  readonly id: number
  readonly partition: number
}

/** Sends one after another, each as one call of `append`: one round trip, one commit. */
export class PostgresProducer implements LogProducer {
  #last: Promise<void> = Promise.resolve()
  #closed = false

  constructor(private readonly hub: Hub) {}

  send(records: readonly LogRecord[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the producer is closed'))
    const mine = this.#last.then(() => this.#sendAll(records))
    this.#last = mine.catch(() => undefined)
    return mine
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }

  async #sendAll(records: readonly LogRecord[]): Promise<void> {
    let chunk: Placed[] = []
    let bytes = 0
    for (const record of records) {
      const topic = await this.hub.topic(record.topic)
      if (!topic) throw new UnknownTopic(record.topic)
      const partition = partitionOf(record.key, topic.partitions.length)
      const placed = { record, headers: Buffer.from(JSON.stringify(record.headers)), id: topic.partitions[partition] ?? 0, partition }
      const size = placed.headers.length + record.value.length
      if (chunk.length > 0 && (chunk.length === MOST_RECORDS || bytes + size > MOST_BYTES)) {
        await this.#append(chunk)
        chunk = []
        bytes = 0
      }
      chunk.push(placed)
      bytes += size
    }
    if (chunk.length > 0) await this.#append(chunk)
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
