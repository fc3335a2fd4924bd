import { RefundToWallet } from '#contracts'
import { activity, command, defineSaga, sagaIdFor, waitFor, type AnySaga, type Step } from '#saga'
import { type PartsData } from './payment-data.js'
import { ORDER_PAYMENT, PAYMENT_REFUND } from './saga-types.js'
import { paymentKey } from './provider-part.js'

/** What goes back, and by which way. Empty parts have no step. */
export type Refunding = PartsData & {
  readonly orderId: string
  readonly walletId?: string
  readonly providerPaymentId?: string
}

export type PaymentRefund = Refunding & { readonly refundId: string; readonly reason?: string }

/** Each part by its own way, side by side. They only go forward: what is decided to go back is owed. */
export const refundSteps = <Data extends Partial<Refunding> & { readonly orderId: string }>(): readonly Step<Data>[] => [
  {
    name: 'refund-payment',
    when: ({ provider = '0' }) => provider !== '0',
    does: activity('refund-payment', {
      input: ({ data: { orderId, providerPaymentId = '', provider = '0' } }) => ({
        paymentKey: paymentKey(sagaIdFor(ORDER_PAYMENT, orderId)),
        providerPaymentId,
        amount: provider,
      }),
      attempts: 60,
      backoff: { first_ms: 500, most_ms: 300_000 },
    }),
  },
  {
    name: 'refund-wallet',
    beside: true,
    when: ({ wallet = '0' }) => wallet !== '0',
    does: command(({ data: { orderId, walletId = 'none', wallet = '0' } }, { replyTo, context, id }) =>
      RefundToWallet.message(walletId, { replyTo, walletId, amount: wallet, reference: orderId }, context, id),
    ),
  },
  {
    name: 'pay-out-cash',
    beside: true,
    when: ({ cash = '0' }) => cash !== '0',
    // No machine knows where a customer who paid at the door wants it: an operator pays it out and says so.
    does: waitFor('cash-paid-out', { window_ms: 1 }),
  },
]

/** One refund of an order's payment. How much of it goes where was decided by the payment, so that refunds together never exceed it. */
export const paymentRefund: AnySaga = defineSaga<PaymentRefund>({
  type: PAYMENT_REFUND,
  version: 1,
  onlyForward: true,
  steps: refundSteps<PaymentRefund>(),
  tells: (saga) =>
    saga.status === 'COMPLETED'
      ? [
          {
            id: 'payment-refunded',
            to: sagaIdFor(ORDER_PAYMENT, saga.data.orderId),
            name: 'payment-refunded',
            body: { refundId: saga.data.refundId },
          },
        ]
      : [],
})
