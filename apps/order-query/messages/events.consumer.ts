import { CATALOGUE_EVENTS, FRAUD_EVENTS, ORDERS_EVENTS, PAYMENTS_EVENTS, STOCK_EVENTS, VisibilityProbed } from '#contracts'
import type { Clock, IncomingMessage } from '#kernel'
import type { BatchHandler, Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { asTypeorm, projector, type RowStore } from '#projections'
import { Controller, Inject } from '@nestjs/common'
import { orderQueryProjection } from '../projection.js'
import { noCache, type Kept, type ReadCache } from '../read-models/read-cache.js'
import { CLOCK, ON_VISIBLE, READ_CACHE, ROWS } from '../tokens.js'

export const TOPICS_READ = [ORDERS_EVENTS, CATALOGUE_EVENTS, STOCK_EVENTS, PAYMENTS_EVENTS, FRAUD_EVENTS] as const

/** Told how long a probe was on its way from its command to where reads see it. */
export type OnVisible = (delay_s: number) => void

/** Every topic feeds the one projection; each table but the history is written from one topic only. */
@Controller()
export class EventsConsumer {
  readonly #project: BatchHandler

  constructor(
    @Inject(ROWS) rows: RowStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(READ_CACHE) private readonly cache: ReadCache,
    @Inject(ON_VISIBLE) private readonly onVisible: OnVisible,
  ) {
    this.#project = projector(orderQueryProjection, rows)
  }

  @BatchPattern(ORDERS_EVENTS)
  async orders(messages: readonly IncomingMessage[]): Promise<Effect> {
    const apply = this.#forgetting('order', messages, await this.#project(messages))
    const probes = messages.filter(({ type }) => type === VisibilityProbed.type)
    return probes.length === 0 ? apply : this.#observed(apply, probes)
  }

  @BatchPattern(CATALOGUE_EVENTS)
  async catalogue(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#forgetting('product', messages, await this.#project(messages))
  }

  @BatchPattern(STOCK_EVENTS)
  async stock(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#forgetting('product', messages, await this.#project(messages))
  }

  @BatchPattern(PAYMENTS_EVENTS)
  async payments(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#forgetting('order', messages, await this.#project(messages))
  }

  @BatchPattern(FRAUD_EVENTS)
  fraud(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#project(messages)
  }

  /** Topics of products are keyed by sku, those of orders and their payments by order. */
  #forgetting(kind: Kept, messages: readonly IncomingMessage[], apply: Effect): Effect {
    if (this.cache === noCache) return apply
    const ids = [...new Set(messages.map(({ key }) => key))]
    return async (tx) => {
      await apply(tx)
      asTypeorm(tx).onCommit(() => void this.cache.changed(kind, ids))
    }
  }

  #observed(apply: Effect, probes: readonly IncomingMessage[]): Effect {
    const sent_ms = probes.map(({ data }) => Date.parse(VisibilityProbed.parse(data).at))
    return async (tx) => {
      await apply(tx)
      asTypeorm(tx).onCommit(() => {
        for (const at_ms of sent_ms) this.onVisible(Math.max(0, this.clock.now() - at_ms) / 1_000)
      })
    }
  }
}
