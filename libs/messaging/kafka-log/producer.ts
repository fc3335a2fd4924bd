import { DependencyUnavailable } from '../failure.js'
import type { LogProducer, LogRecord, ValueCodec } from '../log.js'
import { partitionOf } from '../partitioner.js'
import type { KafkaClientProducer, PlacedRecord } from './client.js'

const MOST_RECORDS = 1_000
const MOST_WAITING = 10_000
/** Under the broker's default `message.max.bytes` of 1 MiB, headers and keys included. */
const MOST_BYTES = 700_000

/**
 * One chunk after another. After a failure a new producer takes its place, since a fenced or out-of-sequence one never recovers; the repeat that
 * this may make is dropped by consumers.
 */
export class KafkaProducer implements LogProducer {
  #producer: KafkaClientProducer | undefined
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(
    private readonly open: () => KafkaClientProducer,
    private readonly partitionsOf: (topic: string) => Promise<number>,
    private readonly values: ValueCodec | undefined,
  ) {}

  send(records: readonly LogRecord[]): Promise<void> {
    if (this.#waiting >= MOST_WAITING) return Promise.reject(new DependencyUnavailable('too many sends wait for the log'))
    this.#waiting++
    const mine = this.#last.then(() => this.#sendAll(records))
    this.#last = mine.catch(() => undefined).then(() => void this.#waiting--)
    return mine
  }

  async close(): Promise<void> {
    await this.#last
    await this.#drop()
  }

  async #sendAll(records: readonly LogRecord[]): Promise<void> {
    try {
      for (const chunk of chunks(this.values ? await this.values.encode(records) : records)) await this.#sendChunk(chunk)
    } catch (error) {
      await this.#drop()
      throw error
    }
  }

  async #sendChunk(records: readonly LogRecord[]): Promise<void> {
    const placed: PlacedRecord[] = []
    for (const record of records) placed.push({ ...record, partition: partitionOf(record.key, await this.partitionsOf(record.topic)) })
    this.#producer ??= this.open()
    await this.#producer.send(placed)
  }

  async #drop(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    await producer?.close().catch(() => undefined)
  }
}

function* chunks(records: readonly LogRecord[]): Generator<readonly LogRecord[]> {
  let chunk: LogRecord[] = []
  let bytes = 0
  for (const record of records) {
    const size = record.value.length + 1_024
    if (chunk.length > 0 && (chunk.length === MOST_RECORDS || bytes + size > MOST_BYTES)) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(record)
    bytes += size
  }
  if (chunk.length > 0) yield chunk
}
