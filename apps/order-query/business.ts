import type { Clock } from '#kernel'
import { Metrics } from '#platform'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { OnVisible } from './messages/events.consumer.js'
import { CLOCK } from './tokens.js'

const WINDOW_MS = 15 * 60_000
/** Several scrapers, or a scrape every second, cost one look. */
const FRESH_MS = 10_000

// By the index on time: what it costs grows with a quarter of an hour's orders and not with all that there are.
const ORDERS = `
SELECT coalesce(o.payment_choice->>'method', 'unknown') AS method,
  CASE WHEN o.status = 'CANCELLED' THEN o.cancellation->>'reason' WHEN o.status IN ('PLACED', 'UNDER_REVIEW') THEN 'open' ELSE 'confirmed' END AS outcome,
  count(*)::int AS orders,
  coalesce(sum(p.authorised_paise - p.captured_paise) FILTER (WHERE p.status NOT IN ('COMPLETED', 'COMPENSATED')), 0)::float8 AS held,
  coalesce(sum(p.captured_paise), 0)::float8 AS captured,
  coalesce(sum(p.refunded_paise), 0)::float8 AS refunded
FROM orders o LEFT JOIN payments p ON p.order_id = o.order_id
WHERE o.placed_at > $1 GROUP BY 1, 2`

interface Figures {
  readonly method: string
  readonly outcome: string
  readonly orders: number
  readonly held: number
  readonly captured: number
  readonly refunded: number
}

/** What the business looks like now, from the read models, which hear of everything. Labels are of closed lists; nothing personal. */
@Injectable()
export class BusinessMetrics {
  #looked: { readonly at_ms: number; readonly figures: Promise<readonly Figures[]> } | undefined

  constructor(
    @Inject(Metrics) metrics: Metrics,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(DataSource) private readonly source: DataSource,
  ) {
    metrics.gauge(
      'orders_recent',
      'Orders that were placed in the last 15 minutes, by how they are to be paid and what became of them.',
      ['method', 'outcome'],
      async (gauge) => {
        const figures = await this.#recent()
        gauge.reset()
        for (const { method, outcome, orders } of figures) gauge.set({ method, outcome }, orders)
      },
    )
    metrics.gauge('order_money_recent_paise', 'Money of the orders of the last 15 minutes by where it is.', ['state'], async (gauge) => {
      const figures = await this.#recent()
      gauge.reset()
      for (const state of ['held', 'captured', 'refunded'] as const)
        gauge.set(
          { state },
          figures.reduce((sum, each) => sum + each[state], 0),
        )
    })
    metrics.gauge('products_out_of_stock', 'Products of which nothing is left to sell.', [], async (gauge) => {
      const rows: { count: number }[] = await source.query('SELECT count(*)::int AS count FROM stock WHERE available = 0')
      for (const { count } of rows) gauge.set(count)
    })
  }

  #recent(): Promise<readonly Figures[]> {
    const at_ms = this.clock.now()
    if (this.#looked && at_ms - this.#looked.at_ms < FRESH_MS) return this.#looked.figures
    const figures = this.source.query<readonly Figures[]>(ORDERS, [new Date(at_ms - WINDOW_MS)])
    this.#looked = { at_ms, figures }
    return figures
  }
}

const VISIBILITY_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export const visibility = (metrics: Metrics): OnVisible => {
  const delays = metrics.histogram(
    'query_visibility_seconds',
    'From a command to where reads see it: of a probe that goes the way of orders every 15 s.',
    [],
    VISIBILITY_S,
  )
  return (delay_s) => delays.observe(delay_s)
}
