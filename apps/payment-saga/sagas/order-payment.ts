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
import { isRefusal, paise, type JsonObject, type MessageContext, type OutgoingMessage } from '#kernel'
import { sumOf } from '#payment'
import { command, defineSaga, sagaIdFor, waitFor, type AnySaga, type Directive, type Saga, type Tell } from '#saga'
import { tells } from './by-hand.js'
import {
  amountsOf,
  partsData,
  refundedByProvider,
  requestRefund,
  returnRefund,
  unrefunded,
  type OrderPayment,
  type RefundData,
} from './payment-data.js'
import { ORDER_CANCELLATION, ORDER_PAYMENT, PAYMENT_REFUND } from './saga-types.js'
import { secondPayments } from './second-payment.js'
import { authorisePayment, capturePayment, PAYER_RETURNED, payerReturned, providerPaymentChanged, providerTold } from './provider-part.js'

export interface OrderPaymentSettings {
  /** How long a provider payment may stay without an outcome. */
  readonly paymentWindow_ms: number
  /** How long an undecided review may take before an operator is called; the fraud side decides by itself well before. */
  readonly reviewWait_ms: number
}

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
        does: command(holdFunds, { learns: (_, { walletPart }, outcome) => (outcome === 'succeeded' ? { walletHeld: walletPart } : {}) }),
        undo: command(releaseHold, { learns: () => ({ walletHeld: '0' }) }),
        refusedBecause: 'payment-declined',
      },
      { ...authorisePayment(paymentWindow_ms), beside: true },
      { name: 'confirm-order', pivot: true, does: command(confirmOrder), refusedBecause: 'customer' },
      {
        name: 'capture-hold',
        when: byWallet,
        does: command(captureHold, { learns: (_, { walletPart }) => ({ walletTaken: walletPart }) }),
      },
      { ...capturePayment(), beside: true },
    ],
    on: {
      'order-cancelled': ({ wasConfirmed }) =>
        wasConfirmed === true
          ? { learns: { cancelled: 'after-confirmation' } }
          : { learns: { cancelled: 'before-confirmation' }, turnsBack: 'customer' },
      'provider-payment': providerTold('confirm-order'),
      [PAYER_RETURNED]: payerReturned,
      'order-delivered': ({ collected }, { data }) => (data.method === 'cod' ? { learns: { collected: String(collected) } } : {}),
      'order-returned': returned,
      [REFUND_REQUESTED]: refundRequested,
      'payment-refunded': refundDone,
    },
    tells: (saga) => [...secondPayments(saga, 'order'), ...(saga.status === 'COMPLETED' ? [...refunding(saga), ...captureTold(saga)] : [])],
    publishes: (saga, before, told) => [
      ...(before && paymentView(before) === paymentView(saga) ? [] : [paymentChanged(saga, told)]),
      ...providerPaymentChanged(saga, before, { purpose: 'order', doneBy: 'confirm-order', refunded: refundedByProvider }, told),
    ],
  })

const isReviewed = ({ fraud }: OrderPayment) => fraud === 'review'
const byWallet = ({ walletPart }: OrderPayment) => walletPart !== '0'

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
  const { customerId, walletPart } = saga.data
  const hold = walletOf(saga)
  return HoldFunds.message(hold.walletId, { replyTo, ...hold, customerId, amount: walletPart }, context, id)
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

/** The message by which a refund is asked for: `{refundId, at, amount?}`. Whoever sends it has looked with `requestRefund` that it can be. */
export const REFUND_REQUESTED = 'refund-requested'

const withRefund = (data: OrderPayment, refundId: string, refund: RefundData): Directive<OrderPayment> => ({
  learns: { refunds: { ...data.refunds, [refundId]: refund } },
})

const refundRequested = ({ refundId, at, amount }: JsonObject, { data }: It): Directive<OrderPayment> => {
  const parts = requestRefund(data, typeof amount === 'string' ? paise(amount) : undefined)
  if (isRefusal(parts)) return {}
  return withRefund(data, String(refundId), { ...partsData(parts), done: false, at: String(at), for: 'request' })
}

const returned = ({ refundId, at, refund }: JsonObject, { data }: It): Directive<OrderPayment> => {
  const parts = returnRefund(data, paise(String(refund)))
  return sumOf(parts) > 0n ? withRefund(data, String(refundId), { ...partsData(parts), done: false, at: String(at), for: 'return' }) : {}
}

const refundDone = ({ refundId, wallet, provider, cash }: JsonObject, { data }: It): Directive<OrderPayment> => {
  const known = data.refunds?.[String(refundId)]
  if (known) return withRefund(data, String(refundId), { ...known, done: true })
  // A cancellation's: what it gives back is all that was left, and nothing else is decided after it.
  const parts = { wallet: String(wallet), provider: String(provider), cash: String(cash) }
  return withRefund(data, String(refundId), { ...parts, done: true, at: '', for: 'cancellation' })
}

/** Where money goes back to. */
const ways = ({ orderId, walletId, providerPaymentId }: OrderPayment) => ({
  orderId,
  ...(walletId === undefined ? {} : { walletId }),
  ...(providerPaymentId === undefined ? {} : { providerPaymentId }),
})

/** Each refund that was decided on is a saga of its own. */
const refunding = ({ data }: It): readonly Tell[] =>
  Object.entries(data.refunds ?? {}).flatMap(([refundId, { wallet, provider, cash, for: why }]) =>
    why === 'cancellation'
      ? []
      : [
          {
            id: `refund-${refundId}`,
            to: sagaIdFor(PAYMENT_REFUND, refundId),
            starts: { type: PAYMENT_REFUND, correlationKey: refundId, data: { refundId, ...ways(data), wallet, provider, cash } },
          },
        ],
  )

/** The cancellation of a confirmed order gives back what was taken and is not on its way back already. */
const captureTold = ({ data }: It): readonly Tell[] =>
  data.cancelled === 'after-confirmation'
    ? [
        {
          id: 'capture-outcome',
          to: sagaIdFor(ORDER_CANCELLATION, data.orderId),
          name: 'capture-outcome',
          body: { ...ways(data), ...partsData(unrefunded(data)) },
        },
      ]
    : []

/** The payment as others see it. Its id is the saga's: one order has one payment. */
const paymentOf = ({ id, status, data }: It) => {
  const { orderId, customerId, method } = data
  const { amount, authorised, captured, refunded } = amountsOf(data)
  const amounts = { amount: `${amount}`, authorised: `${authorised}`, captured: `${captured}`, refunded: `${refunded}` }
  return { paymentId: id, sagaId: id, orderId, customerId, status, method, ...amounts }
}

const paymentChanged = (saga: It, { version, at, context }: { version: number; at: number; context: MessageContext }): OutgoingMessage =>
  PaymentChanged.message(saga.data.orderId, { ...paymentOf(saga), version, at: new Date(at).toISOString() }, context)

const paymentView = (saga: It): string => JSON.stringify(paymentOf(saga))
