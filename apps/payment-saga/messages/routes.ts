import { AlertDecided, LoadRequested, OrderCancelled, OrderDelivered, OrderPlaced, OrderReturned } from '#contracts'
import type { IncomingMessage } from '#kernel'
import { contextOf, inputId, sagaIdFor, type Routes, type SagaInput } from '#saga'
import { isProviderMethod } from '#payment'
import { type OrderPayment } from '../sagas/payment-data.js'
import { ORDER_CANCELLATION, ORDER_PAYMENT, PAYMENT_REFUND, WALLET_LOAD } from '../sagas/saga-types.js'
import type { WalletLoad } from '../sagas/wallet-load.js'

/** What the messages of the other apps mean to the sagas. */
export const routes: Routes = {
  [OrderPlaced.type]: (message) => [start(message, ORDER_PAYMENT, String(message.data['orderId']), paymentData(message))],

  [OrderCancelled.type]: (message) => {
    const { orderId, customerId, wasConfirmed, items } = OrderCancelled.parse(message.data)
    const payment = tell(message, ORDER_PAYMENT, orderId, 'order-cancelled', { wasConfirmed })
    if (!wasConfirmed) return [payment]
    return [start(message, ORDER_CANCELLATION, orderId, { orderId, customerId, lines: items }), payment]
  },

  [OrderDelivered.type]: (message) => {
    const { orderId, collected } = OrderDelivered.parse(message.data)
    return collected === '0' ? [] : [tell(message, ORDER_PAYMENT, orderId, 'order-delivered', { collected })]
  },

  [OrderReturned.type]: (message) => {
    const { orderId, refund, at } = OrderReturned.parse(message.data)
    // An order is returned at most once, so its refund needs no id but the order's.
    const refundId = sagaIdFor(`${PAYMENT_REFUND} of a return`, orderId)
    return refund === '0' ? [] : [tell(message, ORDER_PAYMENT, orderId, 'order-returned', { refundId, refund, at })]
  },

  [AlertDecided.type]: (message) => {
    const { orderId, alertId, decision } = AlertDecided.parse(message.data)
    return [tell(message, ORDER_PAYMENT, orderId, 'alert-decided', { alertId, decision })]
  },

  [LoadRequested.type]: (message) => {
    const { loadId, walletId, customerId, amount, method, flow, instrument } = LoadRequested.parse(message.data)
    const payment = { providerPart: amount, providerMethod: method, ...(flow === undefined ? {} : { flow }), instrument }
    const data: WalletLoad = { orderId: loadId, walletId, customerId, ...payment }
    return [start(message, WALLET_LOAD, loadId, data)]
  },
}

type Data = (SagaInput & { kind: 'start' })['data']

const start = (message: IncomingMessage, type: string, correlationKey: string, data: Data): SagaInput => {
  const sagaId = sagaIdFor(type, correlationKey)
  return { kind: 'start', id: inputId(message, sagaId), sagaId, context: contextOf(message), type, correlationKey, data }
}

const tell = (message: IncomingMessage, type: string, correlationKey: string, name: string, body: Data): SagaInput => {
  const sagaId = sagaIdFor(type, correlationKey)
  return { kind: 'message', id: inputId(message, sagaId), sagaId, context: contextOf(message), name, body }
}

const paymentData = (message: IncomingMessage): OrderPayment => {
  const { orderId, customerId, items, totals, addressHash, deviceHash, payment, placedAt } = OrderPlaced.parse(message.data)
  const { method, walletAmount = '0', plan, other } = payment
  const { flow, instrument } = other ?? payment
  const amount = totals.grandTotal
  // A split whose parts were not told is divided at a provider that cannot be, and so declined.
  const walletPart = method === 'wallet' ? amount : method === 'split' ? walletAmount : '0'
  const providerMethod = isProviderMethod(method) ? method : other?.method
  return {
    orderId,
    customerId,
    lines: items.map(({ sku, quantity }) => ({ sku, quantity })),
    method,
    amount,
    walletPart,
    providerPart: method === 'cod' ? '0' : (BigInt(amount) - BigInt(walletPart)).toString(),
    ...(providerMethod === undefined ? {} : { providerMethod }),
    ...(payment.walletId === undefined ? {} : { walletId: payment.walletId }),
    ...(flow === undefined ? {} : { flow }),
    ...(plan === undefined ? {} : { plan }),
    ...(instrument === undefined ? {} : { instrument }),
    addressHash,
    ...(deviceHash === undefined ? {} : { deviceHash }),
    placedAt,
  }
}
