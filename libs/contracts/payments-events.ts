import Type, { type Static } from 'typebox'
import { Amount, defineMessage, Id, Timestamp, Version } from './define.js'
import { PaymentMethod } from './orders-events.js'

export const PAYMENTS_EVENTS = 'payments.events'

const changed = Type.Object({
  paymentId: Id,
  sagaId: Id,
  orderId: Id,
  customerId: Id,
  /** Of the saga's stream. A later saga of the same order (its cancellation) speaks of the same payment under its own `sagaId`. */
  version: Version,
  status: Type.Union([
    Type.Literal('RUNNING'),
    Type.Literal('WAITING'),
    Type.Literal('COMPENSATING'),
    Type.Literal('COMPLETED'),
    Type.Literal('COMPENSATED'),
    Type.Literal('NEEDS_ATTENTION'),
  ]),
  method: PaymentMethod,
  amount: Amount,
  authorised: Amount,
  captured: Amount,
  refunded: Amount,
  at: Timestamp,
})

/** The payment of an order as it now is. Keyed by order. */
export const PaymentChanged = defineMessage(PAYMENTS_EVENTS, 'PaymentChanged', 1, changed, {
  paymentId: '0190a000-0000-7000-8000-0000000000d1',
  sagaId: '0190a000-0000-7000-8000-0000000000f1',
  orderId: '0190a000-0000-7000-8000-000000000001',
  customerId: 'c-1',
  version: 9,
  status: 'COMPLETED',
  method: 'wallet',
  amount: '299800',
  authorised: '299800',
  captured: '299800',
  refunded: '0',
  at: '2026-11-01T10:00:01.000Z',
})
export type PaymentChangedData = Static<typeof changed>

const providerChanged = Type.Object({
  sagaId: Id,
  /** The order, or the load of a wallet, that it is for. */
  orderId: Id,
  /** Of the saga's stream. */
  version: Version,
  /** The provider's id of the payment. */
  providerPaymentId: Id,
  captured: Amount,
  refunded: Amount,
  at: Timestamp,
  purpose: Type.Optional(Type.Union([Type.Literal('order'), Type.Literal('load')])),
  method: Type.Optional(Type.Union([Type.Literal('upi'), Type.Literal('card'), Type.Literal('netbanking')])),
  /** When its payer paid by the provider's clock, not before it was asked for. Absent: the provider does not say. */
  paidAt: Type.Optional(Timestamp),
  /** Whether what it was taken for is done (the order is confirmed, the load credited), or will not be. */
  use: Type.Optional(Type.Union([Type.Literal('open'), Type.Literal('done'), Type.Literal('undone')])),
})

/**
 * What a provider has taken for a payment and given back, in all: the part of it that goes through one, whatever it is for. Keyed by order or
 * load.
 */
export const ProviderPaymentChanged = defineMessage(PAYMENTS_EVENTS, 'ProviderPaymentChanged', 1, providerChanged, {
  sagaId: '0190a000-0000-7000-8000-0000000000f1',
  orderId: '0190a000-0000-7000-8000-000000000001',
  version: 9,
  providerPaymentId: 'pay_29QQoUBi66xm2f',
  captured: '299800',
  refunded: '0',
  at: '2026-11-01T10:00:01.000Z',
  purpose: 'order',
  method: 'upi',
  paidAt: '2026-11-01T10:00:00.000Z',
  use: 'done',
})
export type ProviderPaymentChangedData = Static<typeof providerChanged>
