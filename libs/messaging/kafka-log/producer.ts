import { CompressionTypes, Partitioners, type Kafka, type Message, type Producer } from 'kafkajs'
import type { LogProducer, LogRecord } from '../log.js'
import { partitionOf } from '../partitioner.js'

const MOST_RECORDS = 1_000
/** Under the broker's default `message.max.bytes` of 1 MiB, headers and keys included. */
const MOST_BYTES = 700_000

/**
 * Acknowledged by all in-sync replicas, one request in flight: with more, kafkajs's idempotent producer loses its order (kafkajs#598).
 * After a failure a new producer takes its place, since a fenced or out-of-sequence one never recovers; the repeat that this may make is
 * dropped by consumers.
 */
export class KafkaProducer implements LogProducer {
  #producer: Promise<Producer> | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(
    private readonly kafka: Kafka,
    private readonly partitionsOf: (topic: string) => Promise<number>,
  ) {}

  send(records: readonly LogRecord[]): Promise<void> {
    const mine = this.#last.then(() => this.#sendAll(records))
    this.#last = mine.catch(() => undefined)
    return mine
  }

  async close(): Promise<void> {
    await this.#last
    await this.#drop()
  }

  async #sendAll(records: readonly LogRecord[]): Promise<void> {
    try {
      for (const chunk of chunks(records)) await this.#sendChunk(chunk)
    } catch (error) {
      await this.#drop()
      throw unavailable(error)
    }
  }

  async #sendChunk(records: readonly LogRecord[]): Promise<void> {
    const topics = new Map<string, Message[]>()
    for (const { topic, key, headers, value } of records) {
      const message = {
        key,
        headers: { ...headers },
        value: Buffer.from(value),
        partition: partitionOf(key, await this.partitionsOf(topic)),
      }
      const messages = topics.get(topic)
      if (messages) messages.push(message)
      else topics.set(topic, [message])
    }
    const producer = await this.#connected()
    await producer.sendBatch({
      acks: -1,
      timeout: 10_000,
      compression: CompressionTypes.None,
      topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })),
    })
  }

  #connected(): Promise<Producer> {
    this.#producer ??= this.#connect()
    return this.#producer
  }

  async #connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2_000 },
    })
    await producer.connect()
    return producer
  }

  async #drop(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    await producer?.then((each) => each.disconnect()).catch(() => undefined)
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

/** kafkajs's own errors mean that the log is away, whatever it calls retriable: the sender tries again with backoff. */
export const unavailable = (error: unknown): unknown => {
  // By name: Node does not see the class among the exports of kafkajs, which is CommonJS.
  if (!(error instanceof Error && error.name.startsWith('KafkaJS'))) return error
  const wrapped = new Error(`Kafka: ${error.message}`, { cause: error })
  wrapped.name = 'DependencyUnavailable'
  return wrapped
}
