import type { JsonObject } from '#kernel'
import { sagaIdFor } from '#saga'
import { ORDER_CANCELLATION, ORDER_PAYMENT, PAYMENT_REFUND, WALLET_LOAD } from '../../../apps/payment-saga/sagas/saga-types.js'
import { paymentKey } from '../../../apps/payment-saga/sagas/provider-part.js'
import type { SimulatedProvider } from '../provider.js'
import { Violation } from '../violation.js'
import { linesOf, type StockCount } from './stock-count.js'
import type { SeenEvent } from './tail.js'
import type { WalletLedger } from './wallet-ledger.js'

type Status = (typeof STATUS_AFTER)[keyof typeof STATUS_AFTER] | 'PLACED'

const STATUS_AFTER = {
  OrderReviewStarted: 'UNDER_REVIEW',
  OrderConfirmed: 'CONFIRMED',
  OrderPacked: 'PACKED',
  OrderShipped: 'SHIPPED',
  OrderOutForDelivery: 'OUT_FOR_DELIVERY',
  OrderDelivered: 'DELIVERED',
  OrderReturnRequested: 'RETURN_REQUESTED',
  OrderReturned: 'RETURNED',
  OrderCancelled: 'CANCELLED',
} as const

/** Its goods have left the warehouse. */
const GONE: ReadonlySet<Status> = new Set(['SHIPPED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'RETURN_REQUESTED', 'RETURNED'])

interface OrderSeen {
  status: Status
  confirmed: boolean
  readonly method: string
  readonly amount: bigint
  readonly lines: ReadonlyMap<string, number>
  /** What came back, and what is owed for it. */
  back: ReadonlyMap<string, number>
  refund: bigint
  /** What the merchant gives back besides, by the refund's id. */
  given: ReadonlyMap<string, bigint>
}

type SagaStatus = 'running' | 'completed' | 'compensated'

/** The four books (orders, stock, wallets, provider) against each other and against what the sagas say: invariant 4. */
export class OrderBooks {
  readonly #orders = new Map<string, OrderSeen>()
  readonly #commands = new Set<string>()
  readonly #sagas = new Map<string, SagaStatus>()
  readonly #attention = new Map<string, string>()
  readonly #orderOfSaga = new Map<string, string>()

  constructor(
    private readonly wallets: WalletLedger,
    private readonly stock: StockCount,
    private readonly provider: SimulatedProvider,
  ) {}

  takeOrder({ stream, type, data, commandId }: SeenEvent): void {
    const orderId = stream.slice('order-'.length)
    if (type === 'OrderPlaced') return this.#place(orderId, data, commandId)
    const order = this.#orders.get(orderId)
    if (!order) throw new Violation(2, `${type} of order ${orderId}, which was never placed`)
    if (order.status === 'CANCELLED') throw new Violation(4, `${type} of order ${orderId}, which is cancelled`)
    if (type === 'OrderCancelled' && GONE.has(order.status)) throw new Violation(4, `order ${orderId} was cancelled when ${order.status}`)
    if (!isKnown(type)) throw new Violation(2, `${type} of order ${orderId}, which no order has`)
    order.status = STATUS_AFTER[type]
    if (type === 'OrderConfirmed') order.confirmed = true
    if (type === 'OrderReturned') {
      order.back = linesOf(data)
      order.refund = BigInt(String(data['refund']))
      if (order.refund > order.amount) throw new Violation(4, `order ${orderId}: ${order.refund} owed of ${order.amount}`)
    }
  }

  takeSaga({ stream, type, data }: SeenEvent): void {
    const sagaId = stream.slice('saga-'.length)
    switch (type) {
      case 'SagaStarted':
        this.#sagas.set(sagaId, 'running')
        return
      case 'LateSuccess':
        this.#sagas.set(sagaId, 'running')
        return
      case 'MessageReceived':
        return this.#learned(sagaId, data['learned'])
      case 'AttentionNeeded':
        this.#attention.set(sagaId, `${String(data['step'])} (${String(data['side'])}): ${String(data['why'])}`)
        return
      case 'SagaCompleted':
        this.#sagas.set(sagaId, 'completed')
        return this.#completed(sagaId)
      case 'SagaCompensated':
        this.#sagas.set(sagaId, 'compensated')
        return this.#compensated(sagaId)
    }
  }

  /** At every step. */
  checkProvider(): void {
    for (const { orderId, amount, captured, refunded } of this.provider.payments.values()) {
      if (!(0n <= refunded && refunded <= captured && captured <= amount))
        throw new Violation(4, `order ${orderId}: ${refunded} refunded of ${captured} captured of ${amount}`)
    }
  }

  /** Sagas that have not ended, and why; none at the end of a run. */
  unended(): readonly string[] {
    const all: string[] = []
    for (const [orderId, order] of this.#orders) {
      const { status, confirmed, method } = order
      const payment = sagaIdFor(ORDER_PAYMENT, orderId)
      if ((this.#sagas.get(payment) ?? 'running') === 'running') all.push(this.#describe(payment, `payment of order ${orderId}`))
      // Cash goes back by hand.
      if (status === 'RETURNED' && method !== 'cod' && owedOf(order) > 0n) {
        const refund = sagaIdFor(PAYMENT_REFUND, returnRefundId(orderId))
        if (this.#sagas.get(refund) !== 'completed') all.push(this.#describe(refund, `refund of order ${orderId}`))
      }
      for (const refund of order.given.keys())
        if (this.#sagas.get(sagaIdFor(PAYMENT_REFUND, refund)) !== 'completed')
          all.push(this.#describe(sagaIdFor(PAYMENT_REFUND, refund), `refund ${refund} of order ${orderId}`))
      if (status !== 'CANCELLED' || !confirmed) continue
      const cancellation = sagaIdFor(ORDER_CANCELLATION, orderId)
      if (this.#sagas.get(cancellation) !== 'completed') all.push(this.#describe(cancellation, `cancellation of order ${orderId}`))
    }
    for (const [loadId, { status }] of this.wallets.loads)
      if (status === 'open' || this.#sagas.get(sagaIdFor(WALLET_LOAD, loadId)) === 'running')
        all.push(this.#describe(sagaIdFor(WALLET_LOAD, loadId), `load ${loadId}`))
    return all
  }

  /** Everything has come to rest. */
  checkEnd(): void {
    const [unended] = this.unended()
    if (unended !== undefined) throw new Violation(4, `the ${unended}`)
    for (const [orderId, order] of this.#orders) {
      const { status, method, amount, confirmed } = order
      const due = owedOf(order) + sumOf(order.given)
      const taken = this.#captured(orderId)
      const back = this.#refunded(orderId)
      if (status === 'PLACED' || status === 'UNDER_REVIEW') throw new Violation(4, `order ${orderId} ended ${status}`)
      if (status !== 'CANCELLED') {
        if (taken - back !== (method === 'cod' ? 0n : amount - due))
          throw new Violation(
            4,
            `order ${orderId} is ${status} for ${amount} by ${method}, ${due} owed: ${taken} captured, ${back} refunded`,
          )
        this.#checkStock(orderId, GONE.has(status) ? new Map() : order.lines)
        this.#checkGoods(orderId, order)
        continue
      }
      if (taken !== back) throw new Violation(4, `order ${orderId} is cancelled: ${taken} captured, ${back} refunded`)
      if (confirmed && method !== 'cod' && taken !== amount)
        throw new Violation(4, `order ${orderId} was confirmed and ${taken} of ${amount} captured`)
      this.#checkStock(orderId, new Map())
      this.#checkNothingHeld(orderId)
    }
    this.#checkLoads()
  }

  get orders(): ReadonlyMap<string, { readonly status: Status; readonly confirmed: boolean; readonly method: string }> {
    return this.#orders
  }

  #place(orderId: string, data: JsonObject, commandId: string): void {
    if (this.#orders.has(orderId) || this.#commands.has(commandId)) throw new Violation(5, `order ${orderId} was placed twice`)
    this.#commands.add(commandId)
    // Every client's key is its order's device.
    const device = String(data['deviceHash'])
    if (this.#commands.has(device)) throw new Violation(5, `one key placed another order, ${orderId}`)
    this.#commands.add(device)
    const payment = data['payment'] as { readonly method: string }
    const totals = data['totals'] as { readonly grandTotal: string }
    this.#orders.set(orderId, {
      status: 'PLACED',
      confirmed: false,
      method: payment.method,
      amount: BigInt(totals.grandTotal),
      lines: linesOf(data),
      back: new Map(),
      refund: 0n,
      given: new Map(),
    })
    this.#orderOfSaga.set(sagaIdFor(ORDER_PAYMENT, orderId), orderId)
  }

  /** A payment saga that completed took the money of a confirmed order. */
  #completed(sagaId: string): void {
    const orderId = this.#orderOfSaga.get(sagaId)
    const order = orderId === undefined ? undefined : this.#orders.get(orderId)
    if (orderId === undefined || !order) return
    if (!order.confirmed) throw new Violation(4, `the payment of order ${orderId} completed; the order is ${order.status}`)
    const taken = this.#captured(orderId)
    if (order.method !== 'cod' && taken !== order.amount)
      throw new Violation(4, `the payment of order ${orderId} completed with ${taken} of ${order.amount} captured`)
  }

  /** One that was compensated left nothing behind. */
  #compensated(sagaId: string): void {
    const orderId = this.#orderOfSaga.get(sagaId)
    const order = orderId === undefined ? undefined : this.#orders.get(orderId)
    if (orderId === undefined || !order) return
    if (order.status !== 'CANCELLED' || order.confirmed)
      throw new Violation(
        4,
        `the payment of order ${orderId} was compensated; the order is ${order.status}${order.confirmed ? ', was confirmed' : ''}`,
      )
    this.#checkStock(orderId, new Map())
    this.#checkNothingHeld(orderId)
    if (this.#captured(orderId) !== this.#refunded(orderId))
      throw new Violation(4, `order ${orderId} was compensated: ${this.#captured(orderId)} captured, ${this.#refunded(orderId)} refunded`)
  }

  /** A payment says what it gives back, and for what. */
  #learned(sagaId: string, learned: unknown): void {
    const orderId = this.#orderOfSaga.get(sagaId)
    const order = orderId === undefined ? undefined : this.#orders.get(orderId)
    if (!order || typeof learned !== 'object' || learned === null || !('refunds' in learned)) return
    const refunds = Object.entries(learned.refunds as Record<string, Record<string, string>>)
    const asked = refunds.filter(([, each]) => each['for'] === 'request')
    order.given = new Map(
      asked.map(([id, each]) => [id, ['wallet', 'provider', 'cash'].reduce((sum, part) => sum + BigInt(each[part] ?? 0), 0n)]),
    )
    if (sumOf(order.given) > order.amount) throw new Violation(4, `order ${orderId}: ${sumOf(order.given)} given back of ${order.amount}`)
  }

  /** What was credited was paid, and what was not is back. */
  #checkLoads(): void {
    for (const [loadId, { status, amount }] of this.wallets.loads) {
      const payment = this.provider.payments.get(paymentKey(sagaIdFor(WALLET_LOAD, loadId)))
      const paid = payment ? payment.captured - payment.refunded : 0n
      if (paid !== (status === 'credited' ? amount : 0n))
        throw new Violation(4, `load ${loadId} of ${amount} is ${status}: ${paid} at the provider`)
      if (payment?.status === 'authorised' || payment?.status === 'pending')
        throw new Violation(4, `load ${loadId} is ${status} and its payment ${payment.status} at the provider`)
    }
  }

  #checkStock(orderId: string, lines: ReadonlyMap<string, number>): void {
    const held = this.stock.heldBy(orderId)
    const same = held.size === lines.size && [...lines].every(([sku, quantity]) => held.get(sku) === quantity)
    if (!same) throw new Violation(4, `order ${orderId} holds ${JSON.stringify([...held])} of ${JSON.stringify([...lines])}`)
  }

  /** The customer has what was shipped and did not come back. */
  #checkGoods(orderId: string, { status, lines, back }: OrderSeen): void {
    const has = this.stock.withCustomerOf(orderId)
    for (const [sku, quantity] of lines) {
      const due = GONE.has(status) ? quantity - (back.get(sku) ?? 0) : 0
      if ((has.get(sku) ?? 0) !== due) throw new Violation(3, `order ${orderId}, ${status}: ${has.get(sku) ?? 0} of ${sku} out, not ${due}`)
    }
  }

  #checkNothingHeld(orderId: string): void {
    const sagaId = sagaIdFor(ORDER_PAYMENT, orderId)
    const hold = this.wallets.holds.get(sagaId)
    if (hold?.status === 'open') throw new Violation(4, `order ${orderId} is cancelled and ${hold.amount} still held`)
    const payment = this.provider.payments.get(paymentKey(sagaId))
    if (payment?.status === 'authorised' || payment?.status === 'pending')
      throw new Violation(4, `order ${orderId} is cancelled and its payment ${payment.status} at the provider`)
  }

  #captured(orderId: string): bigint {
    const payment = this.provider.payments.get(paymentKey(sagaIdFor(ORDER_PAYMENT, orderId)))
    return (this.wallets.capturedOf.get(orderId) ?? 0n) + (payment?.captured ?? 0n)
  }

  #refunded(orderId: string): bigint {
    const payment = this.provider.payments.get(paymentKey(sagaIdFor(ORDER_PAYMENT, orderId)))
    return (this.wallets.refundedOf.get(orderId) ?? 0n) + (payment?.refunded ?? 0n)
  }

  #describe(sagaId: string, what: string): string {
    const why = this.#attention.get(sagaId)
    return `${what} has not ended${why === undefined ? '' : `; it needed attention at ${why}`}`
  }
}

/** Of what came back: what the merchant had not given back before. */
const owedOf = ({ refund, amount, given }: OrderSeen): bigint => {
  const left = amount - sumOf(given)
  return refund < left ? refund : left
}

const sumOf = (amounts: ReadonlyMap<string, bigint>): bigint => [...amounts.values()].reduce((sum, each) => sum + each, 0n)

const isKnown = (type: string): type is keyof typeof STATUS_AFTER => Object.hasOwn(STATUS_AFTER, type)

/** As payment-saga names it: an order is returned at most once. */
const returnRefundId = (orderId: string): string => sagaIdFor(`${PAYMENT_REFUND} of a return`, orderId)
