import { ProviderPaymentChanged } from '#contracts'
import type { ProviderMethod } from '#payment'
import { activity, defineSaga, sagaIdFor, waitFor, type AnySaga, type Saga, type Tell } from '#saga'
import type { ProviderPart } from './provider-part.js'
import { SECOND_PAYMENT } from './saga-types.js'

/** What a provider took besides the payment that a saga knows. Amounts are paise in decimal strings. */
export type SecondPayment = {
  /** The order, or the load, that it was asked for. */
  readonly orderId: string
  readonly purpose: 'order' | 'load'
  readonly providerPaymentId: string
  readonly captured: string
  readonly method?: ProviderMethod
  readonly paidAt?: string
  readonly refunded?: string
}

const LOOK = 'look-into-it'

/**
 * A provider took two payments for one, and says so of the second. Whether it is one too many, and not back already, is a person's to find out:
 * their yes has it given back and books it, their no ends this.
 */
export const secondPayment: AnySaga = defineSaga<SecondPayment>({
  type: SECOND_PAYMENT,
  version: 1,
  steps: [
    { name: LOOK, pivot: true, does: waitFor('second-payment-seen', { window_ms: 1 }) },
    {
      name: 'refund-payment',
      does: activity('refund-payment', {
        input: ({ data: { providerPaymentId, captured } }) => ({ providerPaymentId, amount: captured }),
        learns: ({ refunded }) => (typeof refunded === 'string' ? { refunded } : {}),
        byHand: (_, { data: { captured } }) => ({ result: { refunded: captured } }),
        attempts: 60,
        backoff: { first_ms: 500, most_ms: 300_000 },
      }),
    },
  ],
  publishes: (saga, before, { version, at, context }) => {
    if (!saga.succeeded(LOOK) || (before?.succeeded(LOOK) && before.data.refunded === saga.data.refunded)) return []
    const { refunded = '0', orderId, ...taken } = saga.data
    const told = { sagaId: saga.id, orderId, version, ...taken, refunded, use: 'undone' as const, at: new Date(at).toISOString() }
    return [ProviderPaymentChanged.message(orderId, told, context)]
  },
})

/** Of each one that was told of, a saga of its own: the one that was paid goes on, or has ended. */
export const secondPayments = ({ id, data }: Saga<ProviderPart>, purpose: SecondPayment['purpose']): readonly Tell[] =>
  Object.entries(data.others ?? {}).map(([providerPaymentId, taken]) => {
    const { orderId, providerMethod: method } = data
    const correlationKey = `${id}:${providerPaymentId}`
    const second: SecondPayment = { orderId, purpose, providerPaymentId, ...taken, ...(method === undefined ? {} : { method }) }
    return {
      id: `second-${providerPaymentId}`,
      to: sagaIdFor(SECOND_PAYMENT, correlationKey),
      starts: { type: SECOND_PAYMENT, correlationKey, data: second },
    }
  })
