import { BaseRpcContext, Server, type CustomTransportStrategy, type MessageHandler, type WritePacket } from '@nestjs/microservices'
import { lastValueFrom, isObservable } from 'rxjs'
import { systemClock, type IncomingMessage } from '#kernel'
import { Consumer, type ConsumerOptions } from '../consumer/consumer.js'
import { isTransient } from '../failure.js'
import type { BatchHandler, Effect, LogProducer, Standing, TopicPartition } from '../log.js'
import { BATCH } from './batch-pattern.js'
import { perMessage } from './per-message.js'
import { replyRecord, toJson } from './requests.js'

export interface LogServerOptions extends ConsumerOptions {
  /** Keys of a batch that `@EventPattern` and `@MessagePattern` handlers work on at once; 64. */
  readonly concurrency?: number
}

const TELL_MS = 5_000

/** What `@EventPattern` and `@MessagePattern` handlers may inject with `@Ctx()`. */
export class LogContext extends BaseRpcContext<[message: IncomingMessage]> {
  constructor(readonly message: IncomingMessage) {
    super([message])
  }
}

/** Nest's type for it is any: without a handler that returns a stream, `lastValueFrom` rejects on an empty one. */
const settled = async (result: unknown): Promise<unknown> => {
  const value: unknown = await result
  return isObservable(value) ? lastValueFrom(value, { defaultValue: undefined }) : value
}

/**
 * A Nest microservice transport over a log: `@BatchPattern(topic)` handlers get batches and return their effect. `@EventPattern(topic)` and
 * `@MessagePattern(topic)` handlers get one message's data at a time, in order within its key, different keys at once, and are at-least-once:
 * what they wrote is not in the offset's transaction. What a `@MessagePattern` handler answers, or fails with, goes to the `LogClient` that
 * asked.
 */
export class LogServer extends Server implements CustomTransportStrategy {
  /** A failed handler's error is this transport's to judge; Nest need not log it as unhandled. */
  override readonly propagatesEventHandlerErrors = true
  #consumer: Consumer | undefined
  #replies: Promise<LogProducer> | undefined

  constructor(private readonly options: LogServerOptions) {
    super()
  }

  listen(callback: (error?: unknown) => void): void {
    this.#start().then(
      () => callback(),
      (error: unknown) => callback(error),
    )
  }

  /** Whether its consumer is alive; false before it listens. */
  healthy(): boolean {
    return this.#consumer?.healthy() ?? false
  }

  /** See `Consumer.isElsewhere`. */
  isElsewhere(): boolean {
    return this.#consumer?.isElsewhere() ?? false
  }

  assignment(): readonly TopicPartition[] {
    return this.#consumer?.assignment() ?? []
  }

  /** See `Consumer.redrive`. */
  redrive(id: string, by: string): Promise<boolean> {
    return this.#consumer?.redrive(id, by) ?? Promise.resolve(false)
  }

  /** See `Consumer.standings`; nothing before it listens. */
  standings(): Promise<readonly Standing[]> {
    return this.#consumer?.standings() ?? Promise.resolve([])
  }

  async close(): Promise<void> {
    const consumer = this.#consumer
    this.#consumer = undefined
    await consumer?.close()
    const replies = this.#replies
    this.#replies = undefined
    await (await replies)?.close()
  }

  /** The strategy has no events of its own to subscribe to. */
  override on(): never {
    throw new Error('LogServer has no events')
  }

  override unwrap<T>(): T {
    throw new Error('LogServer wraps nothing')
  }

  async #start(): Promise<void> {
    const handlers = new Map<string, BatchHandler>()
    for (const [topic, handler] of this.messageHandlers) {
      const batch = Boolean(handler.extras?.[BATCH])
      if (batch && handler.next) throw new Error(`${topic}: one handler per topic and group, so that its effect is one`)
      handlers.set(topic, batch ? this.#batch(handler) : this.#perMessage(handler))
    }
    if (handlers.size === 0) return
    const consumer = new Consumer({ tell_ms: TELL_MS, ...this.options }, handlers)
    await consumer.start()
    this.#consumer = consumer
  }

  #batch(handler: MessageHandler): BatchHandler {
    return async (messages) => {
      const effect = await settled(handler(messages, undefined))
      if (typeof effect !== 'function') throw new TypeError('a @BatchPattern handler returns its effect; noEffect when there is none')
      return effect as Effect
    }
  }

  #perMessage(handler: MessageHandler): BatchHandler {
    const { concurrency = 64, isTransient: isPassing = isTransient } = this.options
    const handle = handler.isEventHandler
      ? (message: IncomingMessage) => settled(handler(message.data, new LogContext(message)))
      : (message: IncomingMessage) => this.#answer(handler, message)
    return perMessage(handle, { concurrency, isTransient: isPassing })
  }

  /** A failure is an answer too, unless it passes: then the request comes again. */
  async #answer(handler: MessageHandler, message: IncomingMessage): Promise<void> {
    const { isTransient: isPassing = isTransient } = this.options
    const values = this.transformToObservable(await handler(message.data, new LogContext(message)))
    let failure: { readonly error: unknown } | undefined
    await new Promise<void>((resolve) => {
      this.send(values, async (packet: WritePacket) => {
        const { err, isDisposed } = packet
        if (err !== undefined && isPassing(err)) failure ??= { error: err }
        if (!failure) await this.#reply(message, packet).catch((error: unknown) => (failure ??= { error }))
        if (isDisposed) resolve()
      })
    })
    if (failure) throw failure.error
  }

  async #reply(message: IncomingMessage, { err, response, isDisposed }: WritePacket): Promise<void> {
    const data = {
      requestId: message.id,
      ...(err !== undefined && { err: toJson(err) }),
      ...(response !== undefined && { response: toJson(response) }),
      ...(isDisposed !== undefined && { isDisposed }),
    }
    const record = replyRecord(message, this.options.group, data, (this.options.clock ?? systemClock).now())
    if (!record) return
    this.#replies ??= this.options.driver.producer()
    await (await this.#replies).send([record])
  }
}
