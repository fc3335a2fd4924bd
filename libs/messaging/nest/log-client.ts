import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices'
import { isJsonObject, systemClock, systemIds, type Clock, type Ids, type JsonObject } from '#kernel'
import { decodeMessage, encodeMessage } from '../cloud-events.js'
import { DependencyUnavailable } from '../failure.js'
import type { LogConsumer, LogDriver, LogProducer, LogRecord, StoredRecord } from '../log.js'
import { NOWHERE, type ReplyData } from './requests.js'

export interface LogClientOptions {
  readonly driver: LogDriver
  /** `ce_source`: who sends. */
  readonly source: string
  /** Where answers to `send` are waited for; without it there is only `emit`. Made with one partition when it is not there. */
  readonly replyTopic?: string
  /** How long `send` waits for the next answer; 30 s. */
  readonly timeout_ms?: number
  readonly clock?: Clock
  readonly ids?: Ids
}

/** What `send` and `emit` take where the key, the type or the id matter; anything else is the value, under a key of its own. */
export interface KeyedMessage {
  readonly key: string
  readonly value: JsonObject
  /** `ce_type`; the topic's name unless given. */
  readonly type?: string
  /** `ce_id`; one of its own unless given. Handlers may know a repeat by it. */
  readonly id?: string
}

const REPLIES_KEPT_MS = 3_600_000
const MOST_WAITING = 10_000

/** No answer came in time. What was asked may have happened, or may still. */
export class RequestTimeout extends Error {
  override readonly name = 'RequestTimeout'
}

/**
 * Nest's `ClientProxy` over a log. `emit` completes once the log has the message. `send` waits for the answers of a `@MessagePattern` handler of
 * any `LogServer`; the client hears only what comes while it lives. Messages that must not be lost with the process, or that belong to a
 * transaction, go through an event store's relay instead.
 */
export class LogClient extends ClientProxy {
  readonly #id: string
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #waiting = new Map<string, (packet: WritePacket) => void>()
  #producer: Promise<LogProducer> | undefined
  #replies: Promise<LogConsumer> | undefined

  constructor(private readonly options: LogClientOptions) {
    super()
    this.#clock = options.clock ?? systemClock
    this.#ids = options.ids ?? systemIds
    this.#id = this.#ids.next()
  }

  /** Also by the first message. */
  async connect(): Promise<void> {
    this.#producer ??= this.options.driver.producer().catch((error: unknown) => {
      this.#producer = undefined
      throw error
    })
    await this.#producer
  }

  /** The driver is its owner's to close. */
  async close(): Promise<void> {
    const [producer, replies] = [this.#producer, this.#replies]
    this.#producer = this.#replies = undefined
    for (const answer of this.#waiting.values()) answer({ err: new RequestTimeout('the client closes') })
    this.#waiting.clear()
    await (await replies)?.close()
    await (await producer)?.close()
  }

  override unwrap<T>(): T {
    throw new Error('LogClient wraps nothing')
  }

  protected override async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    await (await this.#producing()).send([this.#record(packet, this.#ids.next())])
    return undefined as T
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const id = this.#ids.next()
    const { timeout_ms = 30_000 } = this.options
    let timer = new AbortController()
    const end = () => {
      timer.abort()
      this.#waiting.delete(id)
    }
    const awaitNext = () => {
      timer.abort()
      timer = new AbortController()
      this.#clock.sleep(timeout_ms, timer.signal).then(
        () => {
          if (this.#waiting.delete(id)) callback({ err: new RequestTimeout(`no answer within ${timeout_ms} ms`) })
        },
        () => undefined,
      )
    }
    const answered = (answer: WritePacket) => {
      awaitNext()
      callback(answer)
    }
    awaitNext()
    this.#ask(packet, id, answered).catch((err: unknown) => {
      end()
      callback({ err })
    })
    return end
  }

  async #ask(packet: ReadPacket, id: string, callback: (packet: WritePacket) => void): Promise<void> {
    const { replyTopic } = this.options
    if (replyTopic === undefined) throw new TypeError('send needs a replyTopic; emit does not')
    if (this.#waiting.size >= MOST_WAITING) throw new DependencyUnavailable('too many requests wait for an answer')
    this.#waiting.set(id, callback)
    await this.#listening(replyTopic)
    const { headers, ...record } = this.#record(packet, id)
    await (await this.#producing()).send([{ ...record, headers: { ...headers, ce_id: id, replyto: `${replyTopic}/${this.#id}` } }])
  }

  #record({ pattern, data, metadata }: ReadPacket, id: string): LogRecord {
    const topic = this.normalizePattern(pattern)
    const { key, value, type = topic, id: given = id } = isKeyed(data) ? data : { key: id, value: data as unknown }
    if (!isJsonObject(value)) throw new TypeError(`${topic}: a message is a JSON object`)
    const traceparent = metadata?.['traceparent']
    const context = { correlationId: given, causationId: given, ...(traceparent !== undefined && { traceparent }) }
    return encodeMessage(
      { topic, key, type, schemaVersion: 1, id: given, data: value, context },
      this.options.source,
      this.#clock.now(),
      NOWHERE,
    )
  }

  async #producing(): Promise<LogProducer> {
    await this.connect()
    if (!this.#producer) throw new DependencyUnavailable('the client is closed')
    return this.#producer
  }

  /** From the topic's end as it was before the first request: no answer can come before it. */
  async #listening(topic: string): Promise<void> {
    this.#replies ??= this.#listen(topic).catch((error: unknown) => {
      this.#replies = undefined
      throw error
    })
    await this.#replies
  }

  async #listen(topic: string): Promise<LogConsumer> {
    const { driver, source } = this.options
    await driver.ensureTopics([{ name: topic, partitions: 1, retention_ms: REPLIES_KEPT_MS }])
    const places = new Map((await driver.offsets(topic)).map(({ partition, next }) => [partition, next]))
    return driver.consume({
      group: `${source}-replies-${this.#id}`,
      topics: [topic],
      maxBatch: 256,
      startOffset: ({ partition }) => Promise.resolve(places.get(partition) ?? 0n),
      onBatch: ({ partition }, records) => {
        for (const record of records) if (record.key === this.#id) this.#answered(record)
        places.set(partition, (records.at(-1)?.offset ?? 0n) + 1n)
        return Promise.resolve()
      },
    })
  }

  #answered(record: StoredRecord): void {
    const { requestId, response, err, isDisposed } = decodeMessage(record).data as ReplyData
    this.#waiting.get(requestId)?.({
      ...(err !== undefined && { err }),
      ...(response !== undefined && { response }),
      ...(isDisposed !== undefined && { isDisposed }),
    })
    if (isDisposed || err !== undefined) this.#waiting.delete(requestId)
  }
}

const KEYED = new Set(['key', 'value', 'type', 'id'])

const isKeyed = (data: unknown): data is KeyedMessage =>
  isJsonObject(data) && typeof data['key'] === 'string' && isJsonObject(data['value']) && Object.keys(data).every((name) => KEYED.has(name))
