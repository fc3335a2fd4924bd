import { ReleaseStock } from '#contracts'
import { isProviderMethod, type PaymentMethod } from '#payment'
import { command, defineSaga, sagaIdFor, waitFor, type AnySaga, type ByHand } from '#saga'
import { tells } from './by-hand.js'
import { ORDER_CANCELLATION, ORDER_PAYMENT } from './saga-types.js'
import { refundSteps, type Refunding } from './payment-refund.js'

export type OrderCancellation = Partial<Refunding> & {
  readonly orderId: string
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
}

/** How long the capture's outcome may take: it is tried for hours, and then an operator settles it. */
const CAPTURE_WAIT_MS = 7 * 24 * 3_600_000

const METHODS: readonly PaymentMethod[] = ['wallet', 'upi', 'card', 'netbanking', 'cod', 'split']

/** What was taken, how, and of whom: this saga knows none of it. What was not taken goes nowhere. Of a split each part goes back by hand. */
const captureToldByHand: ByHand<OrderCancellation> = (told, saga) => {
  const names = ['method', 'captured']
  if (told['captured'] !== '0') {
    if (told['method'] === 'wallet') names.push('walletId')
    else if (METHODS.some((method) => method === told['method'] && isProviderMethod(method))) names.push('providerPaymentId')
  }
  const made = tells<OrderCancellation>(...names)(told, saga)
  if ('lacks' in made) return made
  const { method = '', captured = '0', walletId, providerPaymentId } = told
  const provided = METHODS.some((each) => each === method && isProviderMethod(each))
  return {
    result: {
      wallet: method === 'wallet' ? captured : '0',
      provider: provided ? captured : '0',
      cash: method === 'cod' ? captured : '0',
      ...(walletId === undefined ? {} : { walletId }),
      ...(providerPaymentId === undefined ? {} : { providerPaymentId }),
    },
  }
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
        learns: ({ wallet, provider, cash, walletId, providerPaymentId }) => ({
          wallet: String(wallet),
          provider: String(provider),
          cash: String(cash),
          ...(typeof walletId === 'string' ? { walletId } : {}),
          ...(typeof providerPaymentId === 'string' ? { providerPaymentId } : {}),
        }),
        byHand: captureToldByHand,
      }),
    },
    ...refundSteps<OrderCancellation>(),
  ],
  // The payment is shown by the saga that made it: it is told what went back.
  tells: ({ id, status, data: { orderId, wallet = '0', provider = '0', cash = '0' } }) =>
    status === 'COMPLETED' && [wallet, provider, cash].some((part) => part !== '0')
      ? [
          {
            id: `refunded-${id}`,
            to: sagaIdFor(ORDER_PAYMENT, orderId),
            name: 'payment-refunded',
            body: { refundId: id, wallet, provider, cash },
          },
        ]
      : [],
})
