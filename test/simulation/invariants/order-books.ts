import type { JsonObject } from '#kernel'
import { sagaIdFor } from '#saga'
import { ORDER_CANCELLATION, ORDER_PAYMENT, paymentKey } from '../../../apps/payment-saga/sagas/payment-data.js'
import type { SimulatedProvider } from '../provider.js'
import { Violation } from '../violation.js'
import { linesOf, type StockCount } from './stock-count.js'
import type { SeenEvent } from './tail.js'
import type { WalletLedger } from './wallet-ledger.js'

type Status = 'PLACED' | 'UNDER_REVIEW' | 'CONFIRMED' | 'CANCELLED'

interface OrderSeen {
  status: Status
  confirmed: boolean
  readonly method: string
  readonly amount: bigint
  readonly lines: ReadonlyMap<string, number>
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
    switch (type) {
      case 'OrderReviewStarted':
        order.status = 'UNDER_REVIEW'
        return
      case 'OrderConfirmed':
        order.status = 'CONFIRMED'
        order.confirmed = true
        return
      case 'OrderCancelled':
        order.status = 'CANCELLED'
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
    for (const [orderId, { status, confirmed }] of this.#orders) {
      const payment = sagaIdFor(ORDER_PAYMENT, orderId)
      if ((this.#sagas.get(payment) ?? 'running') === 'running') all.push(this.#describe(payment, `payment of order ${orderId}`))
      if (status !== 'CANCELLED' || !confirmed) continue
      const cancellation = sagaIdFor(ORDER_CANCELLATION, orderId)
      if (this.#sagas.get(cancellation) !== 'completed') all.push(this.#describe(cancellation, `cancellation of order ${orderId}`))
    }
    return all
  }

  /** Everything has come to rest. */
  checkEnd(): void {
    const [unended] = this.unended()
    if (unended !== undefined) throw new Violation(4, `the ${unended}`)
    for (const [orderId, order] of this.#orders) {
      const { status, method, amount, confirmed } = order
      const taken = this.#captured(orderId)
      const back = this.#refunded(orderId)
      if (status !== 'CONFIRMED' && status !== 'CANCELLED') throw new Violation(4, `order ${orderId} ended ${status}`)
      if (status === 'CONFIRMED') {
        if (taken - back !== (method === 'cod' ? 0n : amount))
          throw new Violation(4, `order ${orderId} is confirmed for ${amount} by ${method}: ${taken} captured, ${back} refunded`)
        this.#checkStock(orderId, order.lines)
        continue
      }
      if (taken !== back) throw new Violation(4, `order ${orderId} is cancelled: ${taken} captured, ${back} refunded`)
      if (confirmed && method !== 'cod' && taken !== amount)
        throw new Violation(4, `order ${orderId} was confirmed and ${taken} of ${amount} captured`)
      this.#checkStock(orderId, new Map())
      this.#checkNothingHeld(orderId)
    }
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

  #checkStock(orderId: string, lines: ReadonlyMap<string, number>): void {
    const held = this.stock.heldBy(orderId)
    const same = held.size === lines.size && [...lines].every(([sku, quantity]) => held.get(sku) === quantity)
    if (!same) throw new Violation(4, `order ${orderId} holds ${JSON.stringify([...held])} of ${JSON.stringify([...lines])}`)
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
