import { CATALOGUE_EVENTS, FRAUD_EVENTS, ORDERS_EVENTS, PAYMENTS_EVENTS, STOCK_EVENTS } from '#contracts'
import type { IncomingMessage } from '#kernel'
import type { BatchHandler, Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { projector, type RowStore } from '#projections'
import { Controller, Inject } from '@nestjs/common'
import { orderQueryProjection } from '../projection.js'
import { ROWS } from '../tokens.js'

export const TOPICS_READ = [ORDERS_EVENTS, CATALOGUE_EVENTS, STOCK_EVENTS, PAYMENTS_EVENTS, FRAUD_EVENTS] as const

/** Every topic feeds the one projection; each table but the history is written from one topic only. */
@Controller()
export class EventsConsumer {
  readonly #project: BatchHandler

  constructor(@Inject(ROWS) rows: RowStore) {
    this.#project = projector(orderQueryProjection, rows)
  }

  @BatchPattern(ORDERS_EVENTS)
  orders(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#project(messages)
  }

  @BatchPattern(CATALOGUE_EVENTS)
  catalogue(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#project(messages)
  }

  @BatchPattern(STOCK_EVENTS)
  stock(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#project(messages)
  }

  @BatchPattern(PAYMENTS_EVENTS)
  payments(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#project(messages)
  }

  @BatchPattern(FRAUD_EVENTS)
  fraud(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#project(messages)
  }
}
