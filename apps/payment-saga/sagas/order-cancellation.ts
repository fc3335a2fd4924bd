import { RefundToWallet, ReleaseStock } from '#contracts'
import { isProviderMethod, type PaymentMethod } from '#payment'
import { activity, command, defineSaga, sagaIdFor, waitFor, type AnySaga, type ByHand } from '#saga'
import { tells } from './by-hand.js'
import { ORDER_CANCELLATION, ORDER_PAYMENT, paymentKey } from './order-payment.js'

export type OrderCancellation = {
  readonly orderId: string
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly method?: PaymentMethod
  readonly captured?: string
  readonly walletId?: string
  readonly providerPaymentId?: string
}

/** How long the capture's outcome may take: it is tried for hours, and then an operator settles it. */
const CAPTURE_WAIT_MS = 7 * 24 * 3_600_000

const METHODS: readonly PaymentMethod[] = ['wallet', 'upi', 'card', 'netbanking', 'cod', 'split']

/** What was taken, how, and of whom: this saga knows none of it. What was not taken goes nowhere. */
const captureToldByHand: ByHand<OrderCancellation> = (told, saga) => {
  const names = ['method', 'captured']
  if (told['captured'] !== '0') {
    if (told['method'] === 'wallet') names.push('walletId')
    else if (METHODS.some((method) => method === told['method'] && isProviderMethod(method))) names.push('providerPaymentId')
  }
  return tells<OrderCancellation>(...names)(told, saga)
}

/**
 * A confirmed order was cancelled: its stock goes back, and so does what was taken for it, once it is known what was taken. The order is
 * cancelled whatever happens here, so this only goes forward.
 */
export const orderCancellation: AnySaga = defineSaga<OrderCancellation>({
  type: ORDER_CANCELLATION,
  version: 1,
  onlyForward: true,
  steps: [
    {
      name: 'release-stock',
      does: command(({ data: { orderId, lines } }, { replyTo, context, id }) =>
        ReleaseStock.message(orderId, { replyTo, orderId, lines: [...lines] }, context, id),
      ),
    },
    {
      name: 'await-capture',
      does: waitFor('capture-outcome', {
        window_ms: CAPTURE_WAIT_MS,
        learns: ({ method, captured, walletId, providerPaymentId }) => ({
          method: methodOf(method),
          captured: String(captured),
          ...(typeof walletId === 'string' ? { walletId } : {}),
          ...(typeof providerPaymentId === 'string' ? { providerPaymentId } : {}),
        }),
        byHand: captureToldByHand,
      }),
    },
    {
      name: 'refund-wallet',
      when: ({ method, captured = '0' }) => method === 'wallet' && captured !== '0',
      does: command(({ data: { orderId, walletId = 'none', captured = '0' } }, { replyTo, context, id }) =>
        RefundToWallet.message(walletId, { replyTo, walletId, amount: captured, reference: orderId }, context, id),
      ),
    },
    {
      name: 'refund-payment',
      when: ({ method, captured = '0' }) => method !== undefined && isProviderMethod(method) && captured !== '0',
      does: activity('refund-payment', {
        input: ({ data: { orderId, providerPaymentId = '', captured = '0' } }) => ({
          paymentKey: paymentKey(sagaIdFor(ORDER_PAYMENT, orderId)),
          providerPaymentId,
          amount: captured,
        }),
        attempts: 60,
        backoff: { first_ms: 500, most_ms: 300_000 },
      }),
    },
  ],
  // The payment is shown by the saga that made it: it is told what went back.
  tells: (saga) =>
    saga.succeeded('refund-wallet') || saga.succeeded('refund-payment')
      ? [
          {
            id: `refunded-${saga.id}`,
            to: sagaIdFor(ORDER_PAYMENT, saga.data.orderId),
            name: 'payment-refunded',
            body: { refunded: saga.data.captured ?? '0' },
          },
        ]
      : [],
})

const methodOf = (value: unknown): PaymentMethod => {
  const method = METHODS.find((known) => known === value)
  if (!method) throw new Error(`no payment method: ${String(value)}`)
  return method
}
