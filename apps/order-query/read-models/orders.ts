import { hasRole, pageOf, type CallerIdentity, type Page } from '#platform'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource, In, IsNull, Not } from 'typeorm'
import { HistoryRow } from './history.entity.js'
import { paginate, type Sort } from './keyset.js'
import type { OrderStatus } from '#order'
import { OrderRow } from './order.entity.js'
import { PaymentRow } from './payment.entity.js'

const SORTS = {
  '-placedAt': { expression: 'o.placedAt', direction: 'DESC', type: 'timestamptz' },
  placedAt: { expression: 'o.placedAt', direction: 'ASC', type: 'timestamptz' },
  '-grandTotal': { expression: 'o.grandTotal', direction: 'DESC', type: 'bigint' },
  grandTotal: { expression: 'o.grandTotal', direction: 'ASC', type: 'bigint' },
} as const satisfies Record<string, Sort>

export type OrderSort = keyof typeof SORTS
export const ORDER_SORTS: readonly OrderSort[] = ['-placedAt', 'placedAt', '-grandTotal', 'grandTotal']

export interface OrderFilter {
  readonly limit: number
  readonly cursor?: string
  readonly sort?: OrderSort
  readonly status?: OrderStatus
  readonly customerId?: string
  /** `placedAt` from here, inclusive. */
  readonly from?: string
  /** `placedAt` before here. */
  readonly to?: string
  readonly q?: string
}

export interface OrderWithPayment {
  readonly order: OrderRow
  /** Undefined until its saga first told of it. */
  readonly payment: PaymentRow | undefined
}

/** Who sees every order; everybody else sees their own. */
const seesAllOrders = (caller: CallerIdentity): boolean => caller.isStaff || hasRole(caller, 'merchant')

export const seesOrder = (caller: CallerIdentity, { customerId }: Pick<OrderRow, 'customerId'>): boolean =>
  seesAllOrders(caller) || caller.sub === customerId

/** Reads orders as a caller may see them. */
@Injectable()
export class Orders {
  constructor(@Inject(DataSource) private readonly source: DataSource) {}

  /** Whoever's it is; undefined when there is none. */
  async find(orderId: string): Promise<OrderWithPayment | undefined> {
    const [order, payment] = await Promise.all([
      this.source.getRepository(OrderRow).findOneBy({ orderId, placedAt: Not(IsNull()) }),
      this.source.getRepository(PaymentRow).findOneBy({ orderId }),
    ])
    return order ? { order, payment: payment ?? undefined } : undefined
  }

  async list(filter: OrderFilter, caller: CallerIdentity): Promise<Page<OrderWithPayment>> {
    const { sort = '-placedAt', status, customerId, from, to, q } = filter
    const query = this.source.getRepository(OrderRow).createQueryBuilder('o').where('o.placedAt IS NOT NULL')
    if (!seesAllOrders(caller)) query.andWhere('o.customerId = :caller', { caller: caller.sub })
    if (customerId !== undefined) query.andWhere('o.customerId = :customerId', { customerId })
    if (status !== undefined) query.andWhere('o.status = :status', { status })
    if (from !== undefined) query.andWhere('o.placedAt >= :from', { from: new Date(from) })
    if (to !== undefined) query.andWhere('o.placedAt < :to', { to: new Date(to) })
    if (q !== undefined) query.andWhere(`o.search @@ websearch_to_tsquery('simple', :q)`, { q })
    const rows = await paginate(query, 'o.orderId', sort, SORTS[sort], filter).getMany()
    const found = await this.#payments(rows.slice(0, filter.limit))
    const key = (row: OrderRow) => (SORTS[sort].type === 'timestamptz' ? row.placedAt.toISOString() : row.grandTotal)
    return pageOf(
      rows,
      filter.limit,
      (order) => ({ order, payment: found.get(order.orderId) }),
      (row) => [sort, key(row), row.orderId],
    )
  }

  /** What happened to the order, oldest first; undefined when there is none, or it is somebody else's. */
  async history(orderId: string, caller: CallerIdentity): Promise<readonly HistoryRow[] | undefined> {
    const [order, rows] = await Promise.all([
      this.#visible(orderId, caller),
      this.source
        .getRepository(HistoryRow)
        .find({ where: { orderId }, order: { at: 'ASC', stream: 'ASC', version: 'ASC' }, take: MOST_HISTORY }),
    ])
    if (!order) return undefined
    return withoutLost(rows).filter(({ staffOnly }) => !staffOnly || caller.isStaff)
  }

  #visible(orderId: string, caller: CallerIdentity): Promise<OrderRow | null> {
    const own = seesAllOrders(caller) ? {} : { customerId: caller.sub }
    return this.source.getRepository(OrderRow).findOneBy({ orderId, placedAt: Not(IsNull()), ...own })
  }

  async #payments(rows: readonly OrderRow[]): Promise<ReadonlyMap<string, PaymentRow>> {
    if (rows.length === 0) return new Map()
    const found = await this.source.getRepository(PaymentRow).findBy({ orderId: In(rows.map(({ orderId }) => orderId)) })
    return new Map(found.map((payment) => [payment.orderId, payment]))
  }
}

/** Far beyond what can happen to one order. */
const MOST_HISTORY = 1_000

/**
 * A store that was restored from a backup forgot its last events and counts on from before them, under a new incarnation. What an older
 * incarnation told from there on did not happen.
 */
export const withoutLost = <Told extends Pick<HistoryRow, 'stream' | 'version' | 'incarnation'>>(rows: readonly Told[]): readonly Told[] =>
  rows.filter(
    (row) =>
      !rows.some(
        (other) => other.stream === row.stream && other.incarnation > row.incarnation && BigInt(other.version) <= BigInt(row.version),
      ),
  )
