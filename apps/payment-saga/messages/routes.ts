import { AlertDecided, OrderCancelled, OrderPlaced } from '#contracts'
import type { IncomingMessage } from '#kernel'
import { contextOf, inputId, sagaIdFor, type Routes, type SagaInput } from '#saga'
import { ORDER_CANCELLATION, ORDER_PAYMENT, type OrderPayment } from '../sagas/order-payment.js'

/** What the messages of the other apps mean to the sagas. */
export const routes: Routes = {
  [OrderPlaced.type]: (message) => [start(message, ORDER_PAYMENT, String(message.data['orderId']), paymentData(message))],

  [OrderCancelled.type]: (message) => {
    const { orderId, customerId, wasConfirmed, items } = OrderCancelled.parse(message.data)
    const payment = tell(message, ORDER_PAYMENT, orderId, 'order-cancelled', { wasConfirmed })
    if (!wasConfirmed) return [payment]
    return [start(message, ORDER_CANCELLATION, orderId, { orderId, customerId, lines: items }), payment]
  },

  [AlertDecided.type]: (message) => {
    const { orderId, alertId, decision } = AlertDecided.parse(message.data)
    return [tell(message, ORDER_PAYMENT, orderId, 'alert-decided', { alertId, decision })]
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
  return {
    orderId,
    customerId,
    lines: items.map(({ sku, quantity }) => ({ sku, quantity })),
    method: payment.method,
    amount: totals.grandTotal,
    ...(payment.walletId === undefined ? {} : { walletId: payment.walletId }),
    ...(payment.flow === undefined ? {} : { flow: payment.flow }),
    ...(payment.instrument === undefined ? {} : { instrument: payment.instrument }),
    addressHash,
    ...(deviceHash === undefined ? {} : { deviceHash }),
    placedAt,
    authorised: '0',
    captured: '0',
    refunded: '0',
  }
}
