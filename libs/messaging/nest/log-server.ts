import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices'
import { lastValueFrom, isObservable } from 'rxjs'
import type { IncomingMessage } from '#kernel'
import { Consumer, type ConsumerOptions } from '../consumer/consumer.js'
import { noEffect, type BatchHandler, type Effect, type Standing, type TopicPartition } from '../log.js'
import { BATCH } from './batch-pattern.js'

export interface LogServerOptions extends ConsumerOptions {
  /** How long `close` waits for the batches under way; 10 s. */
  readonly closeTimeout_ms?: number
}

const TELL_MS = 5_000

/** What an `@EventPattern` handler may inject with `@Ctx()`. */
export class LogContext {
  constructor(readonly message: IncomingMessage) {}
}

/** Nest's type for it is any: without a handler that returns a stream, `lastValueFrom` rejects on an empty one. */
const settled = async (result: unknown): Promise<unknown> => {
  const value: unknown = await result
  return isObservable(value) ? lastValueFrom(value, { defaultValue: undefined }) : value
}

/**
 * A Nest microservice transport over a log: `@BatchPattern(topic)` handlers get batches and return their effect; `@EventPattern(topic)`
 * handlers get one message's data at a time, in order, and are at-least-once: what they wrote is not in the offset's transaction.
 */
export class LogServer extends Server implements CustomTransportStrategy {
  /** A failed handler's error is this transport's to judge; Nest need not log it as unhandled. */
  override readonly propagatesEventHandlerErrors = true
  #consumer: Consumer | undefined

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
    await consumer?.close(this.options.closeTimeout_ms)
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
      if (!handler.isEventHandler) throw new Error(`${topic}: the log carries events; @MessagePattern has nobody to answer to`)
      if (batch && handler.next) throw new Error(`${topic}: one handler per topic and group, so that its effect is one`)
      handlers.set(topic, batch ? this.#batch(handler) : this.#single(handler))
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

  #single(handler: MessageHandler): BatchHandler {
    return async (messages) => {
      for (const message of messages) await settled(handler(message.data, new LogContext(message)))
      return noEffect
    }
  }
}
