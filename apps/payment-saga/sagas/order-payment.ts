import {
  CancelOrder,
  CaptureHold,
  ConfirmOrder,
  HoldFunds,
  PaymentChanged,
  ReleaseHold,
  ReleaseStock,
  ReserveStock,
  ScoreTransaction,
  StartReview,
  type CancellationReason,
} from '#contracts'
import type { JsonObject } from '#kernel'
import { isProviderMethod, type PaymentMethod } from '#payment'
import { activity, actionKey, command, defineSaga, sagaIdFor, waitFor, type AnySaga, type ByHand, type Directive, type Saga } from '#saga'
import { tells } from './by-hand.js'

/** What the saga knows. Amounts are paise in decimal strings. */
export type OrderPayment = {
  readonly orderId: string
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly method: PaymentMethod
  readonly amount: string
  readonly walletId?: string
  readonly flow?: 'collect' | 'intent'
  /** The VPA, card token or bank code, sealed: opened only inside the activity that sends it. */
  readonly instrument?: { readonly subject: string; readonly nonce: string; readonly ciphertext: string }
  readonly addressHash: string
  readonly deviceHash?: string
  readonly placedAt: string
  readonly authorised: string
  readonly captured: string
  readonly refunded: string
  readonly fraud?: string
  readonly review?: string
  readonly providerPaymentId?: string
  readonly next?: { readonly kind: string; readonly url: string }
  /** The order was cancelled by somebody else. */
  readonly cancelled?: 'before-confirmation' | 'after-confirmation'
}

export interface OrderPaymentSettings {
  /** How long a provider payment may stay without an outcome. */
  readonly paymentWindow_ms: number
  /** How long an undecided review may take before an operator is called; the fraud side decides by itself well before. */
  readonly reviewWait_ms: number
}

export const ORDER_PAYMENT = 'order-payment'
export const ORDER_CANCELLATION = 'order-cancellation'
export const AUTHORISE = 'authorise-payment'

type It = Saga<OrderPayment>

/**
 * An order's payment: stock, fraud, money, and the order's confirmation between authorising and taking. Until the order is confirmed
 * everything is undone when something fails; from then on it only goes forward.
 */
export const orderPayment = ({ paymentWindow_ms, reviewWait_ms }: OrderPaymentSettings): AnySaga =>
  defineSaga<OrderPayment>({
    type: ORDER_PAYMENT,
    version: 1,
    steps: [
      { name: 'place-order', undo: command(cancelOrder) },
      { name: 'reserve-stock', does: command(reserveStock), undo: command(releaseStock), refusedBecause: 'out-of-stock' },
      {
        name: 'score-fraud',
        does: command(scoreFraud, { learns: ({ decision }) => ({ fraud: String(decision) }), byHand: tells('decision') }),
        objects: ({ fraud }) => (fraud === 'approve' || fraud === 'review' ? undefined : 'fraud-declined'),
        refusedBecause: 'fraud-declined',
      },
      { name: 'start-review', when: isReviewed, does: command(startReview), refusedBecause: 'customer' },
      {
        name: 'await-review',
        when: isReviewed,
        does: waitFor('alert-decided', {
          window_ms: reviewWait_ms,
          learns: ({ decision }) => ({ review: String(decision) }),
          byHand: (told, saga) => (told['decision'] === 'review' ? { lacks: ['decision'] } : tells('decision')(told, saga)),
        }),
        objects: ({ review }) => (review === 'approve' ? undefined : 'fraud-declined'),
      },
      {
        name: 'hold-funds',
        when: byWallet,
        does: command(holdFunds, { learns: (_, { amount }, outcome) => (outcome === 'succeeded' ? { authorised: amount } : {}) }),
        undo: command(releaseHold, { learns: () => ({ authorised: '0' }) }),
        refusedBecause: 'payment-declined',
      },
      {
        name: AUTHORISE,
        when: ({ method }) => method !== 'wallet' && method !== 'cod',
        does: activity(AUTHORISE, { input: authoriseInput, learns: providerBooks, byHand: authorisedByHand, window_ms: paymentWindow_ms }),
        // Asked about for hours: a collect request that its owner can still approve is not yet undone.
        undo: activity('cancel-payment', {
          input: cancelInput,
          learns: providerBooks,
          byHand: cancelledByHand,
          attempts: 500,
          backoff: { first_ms: 1_000, most_ms: 60_000 },
        }),
        refusedBecause: 'payment-declined',
        expiredBecause: 'payment-expired',
      },
      { name: 'confirm-order', pivot: true, does: command(confirmOrder), refusedBecause: 'customer' },
      { name: 'capture-hold', when: byWallet, does: command(captureHold, { learns: (_, { amount }) => ({ captured: amount }) }) },
      {
        name: 'capture-payment',
        when: ({ method, captured }) => isProviderMethod(method) && captured === '0',
        does: activity('capture-payment', {
          input: captureInput,
          learns: providerBooks,
          // What was authorised is asked for whole.
          byHand: (_, { data: { amount } }) => ({ result: { captured: amount } }),
          attempts: 60,
          backoff: { first_ms: 500, most_ms: 300_000 },
        }),
      },
    ],
    on: {
      'order-cancelled': ({ wasConfirmed }) =>
        wasConfirmed === true
          ? { learns: { cancelled: 'after-confirmation' } }
          : { learns: { cancelled: 'before-confirmation' }, turnsBack: 'customer' },
      'provider-payment': providerTold,
      'payment-refunded': ({ refunded }) => ({ learns: { refunded: String(refunded) } }),
    },
    tells: (saga) =>
      saga.data.cancelled === 'after-confirmation' && saga.status === 'COMPLETED'
        ? [
            {
              id: 'capture-outcome',
              to: sagaIdFor(ORDER_CANCELLATION, saga.data.orderId),
              name: 'capture-outcome',
              body: captureOutcome(saga),
            },
          ]
        : [],
    publishes: (saga, before, { version, at, context }) =>
      before && paymentView(before) === paymentView(saga)
        ? []
        : [PaymentChanged.message(saga.data.orderId, { ...paymentOf(saga), version, at: new Date(at).toISOString() }, context)],
  })

const isReviewed = ({ fraud }: OrderPayment) => fraud === 'review'
const byWallet = ({ method }: OrderPayment) => method === 'wallet'

type Message = Parameters<typeof command<OrderPayment>>[0]

const reserveStock: Message = ({ data: { orderId, lines } }, { replyTo, context, id }) =>
  ReserveStock.message(orderId, { replyTo, orderId, lines: [...lines] }, context, id)

const releaseStock: Message = ({ data: { orderId, lines } }, { replyTo, context, id }) =>
  ReleaseStock.message(orderId, { replyTo, orderId, lines: [...lines] }, context, id)

const startReview: Message = ({ data: { orderId } }, { replyTo, context, id }) =>
  StartReview.message(orderId, { replyTo, orderId }, context, id)

const confirmOrder: Message = ({ data: { orderId } }, { replyTo, context, id }) =>
  ConfirmOrder.message(orderId, { replyTo, orderId }, context, id)

const cancelOrder: Message = ({ data: { orderId }, failure }, { replyTo, context, id }) =>
  CancelOrder.message(orderId, { replyTo, orderId, reason: cancellationReason(failure?.reason) }, context, id)

const scoreFraud: Message = ({ data }, { replyTo, context, id }) => {
  const { orderId, customerId, amount, method, addressHash, deviceHash, placedAt } = data
  const device = deviceHash === undefined ? {} : { deviceHash }
  return ScoreTransaction.message(orderId, { replyTo, orderId, customerId, amount, method, addressHash, placedAt, ...device }, context, id)
}

/** A wallet order without a wallet is held at a wallet that cannot be, and so declined. */
const walletOf = ({ data: { walletId = 'none', orderId }, id }: It) => ({ walletId, holdId: id, reference: orderId })

const holdFunds: Message = (saga, { replyTo, context, id }) => {
  const { customerId, amount } = saga.data
  const hold = walletOf(saga)
  return HoldFunds.message(hold.walletId, { replyTo, ...hold, customerId, amount }, context, id)
}

const captureHold: Message = (saga, { replyTo, context, id }) =>
  CaptureHold.message(walletOf(saga).walletId, { replyTo, ...walletOf(saga) }, context, id)

const releaseHold: Message = (saga, { replyTo, context, id }) =>
  ReleaseHold.message(walletOf(saga).walletId, { replyTo, ...walletOf(saga) }, context, id)

const REASONS: readonly CancellationReason[] = [
  'out-of-stock',
  'payment-declined',
  'payment-expired',
  'fraud-declined',
  'customer',
  'merchant',
]

/** An operator who turns a saga back acts for the merchant. */
const cancellationReason = (reason: string | undefined): CancellationReason => REASONS.find((known) => known === reason) ?? 'merchant'

/** The idempotency key under which the provider knows the payment. */
export const paymentKey = (sagaId: string): string => actionKey({ sagaId, step: AUTHORISE, side: 'do', round: 1 })

const authoriseInput = ({ data }: It): JsonObject => {
  const { orderId, amount, method, flow, instrument } = data
  return { orderId, amount, method, ...(flow ? { flow } : {}), ...(instrument ? { instrument } : {}) }
}

const cancelInput = ({ id }: It): JsonObject => ({ paymentKey: paymentKey(id) })

const captureInput = ({ id, data: { amount, providerPaymentId = '' } }: It): JsonObject => ({
  paymentKey: paymentKey(id),
  providerPaymentId,
  amount,
})

/** What the provider's books say, from an activity's result or a webhook. Fields that it does not tell stay as they are. */
const providerBooks = (told: JsonObject): Partial<OrderPayment> => {
  const { providerPaymentId, authorised, captured, refunded, next } = told
  const link = typeof next === 'object' && next !== null && 'kind' in next && 'url' in next ? next : undefined
  return {
    ...(typeof providerPaymentId === 'string' ? { providerPaymentId } : {}),
    ...(typeof authorised === 'string' ? { authorised } : {}),
    ...(typeof captured === 'string' ? { captured } : {}),
    ...(typeof refunded === 'string' ? { refunded } : {}),
    ...(link ? { next: { kind: String(link.kind), url: String(link.url) } } : {}),
  }
}

/** The provider's id of the payment is what it is taken by and given back by. That it was taken already shows when it is to be taken. */
const authorisedByHand: ByHand<OrderPayment> = (told, { data: { amount, providerPaymentId: known } }) => {
  const { providerPaymentId = known } = told
  return providerPaymentId === undefined ? { lacks: ['providerPaymentId'] } : { result: { providerPaymentId, authorised: amount } }
}

/** Undone, nothing of it is left: what was taken went back. */
const cancelledByHand: ByHand<OrderPayment> = (_, { data: { captured } }) => ({
  result: captured === '0' ? { authorised: '0' } : { refunded: captured },
})

/** A webhook is the outcome of the step that it speaks of, told by another way: before the answer, after it, or instead of it. */
const providerTold = (told: JsonObject, saga: It): Directive<OrderPayment> => {
  const capture =
    told['status'] === 'captured' && saga.data.method === 'card' && saga.succeeded(AUTHORISE) && saga.succeeded('confirm-order')
  const step = capture ? 'capture-payment' : AUTHORISE
  switch (told['status']) {
    case 'authorised':
    case 'captured':
      return { settles: { step, outcome: 'succeeded', result: told } }
    case 'declined':
      return { settles: { step, outcome: 'refused', slug: 'declined', detail: 'declined by the provider' } }
    default:
      return {}
  }
}

const captureOutcome = ({ data }: It): JsonObject => {
  const { method, amount, captured, refunded, walletId, providerPaymentId } = data
  const wallet = walletId === undefined ? {} : { walletId }
  return { method, amount, captured, refunded, ...wallet, ...(providerPaymentId === undefined ? {} : { providerPaymentId }) }
}

/** The payment as others see it. Its id is the saga's: one order has one payment. */
const paymentOf = ({ id, status, data }: It) => {
  const { orderId, customerId, method, amount, authorised, captured, refunded } = data
  return { paymentId: id, sagaId: id, orderId, customerId, status, method, amount, authorised, captured, refunded }
}

const paymentView = (saga: It): string => JSON.stringify(paymentOf(saga))
