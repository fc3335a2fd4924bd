import { ProviderPaymentChanged } from '#contracts'
import type { JsonObject, MessageContext, OutgoingMessage } from '#kernel'
import { AUTHORISATION_LIFE_MS, type ProviderMethod } from '#payment'
import { actionKey, activity, type ByHand, type Directive, type Saga, type SagaState, type Step } from '#saga'
import { ORDER_PAYMENT, WALLET_LOAD } from './saga-types.js'

export const AUTHORISE = 'authorise-payment'

/** The idempotency key under which the provider knows the payment. */
export const paymentKey = (sagaId: string): string => actionKey({ sagaId, step: AUTHORISE, side: 'do', round: 1 })

/** What a provider takes and its books of it, in the data of a saga that has a payment made. Amounts are paise in decimal strings. */
export type ProviderPart = {
  /** What it is for, as the provider is told it. */
  readonly orderId: string
  /** 0: the provider has no part in it. */
  readonly providerPart: string
  readonly providerMethod?: ProviderMethod
  readonly flow?: 'collect' | 'intent'
  /** The EMI or pay-later plan that it is paid by. */
  readonly plan?: string
  /** The VPA, card token or bank code, sealed: opened only inside the activity that sends it. */
  readonly instrument?: { readonly subject: string; readonly nonce: string; readonly ciphertext: string }
  readonly authorised?: string
  readonly captured?: string
  /** What undoing the payment gave back. */
  readonly refunded?: string
  readonly providerPaymentId?: string
  /** When its payer paid, as the provider said first. */
  readonly paidAt?: string
  readonly next?: { readonly kind: string; readonly url: string }
  /** What it took besides under the same key, by the provider's id. */
  readonly others?: Readonly<Record<string, { readonly captured: string; readonly paidAt?: string }>>
}

/** Authorised for this amount; and where it was taken too, all of it. */
const isExact = ({ authorised, captured = '0' }: Pick<ProviderPart, 'authorised' | 'captured'>, asked: string): boolean =>
  authorised === asked && (captured === '0' || captured === asked)

const byProvider = ({ providerPart }: ProviderPart): boolean => providerPart !== '0'

/** The provider holds the money, or takes it where its method knows no holding. Undone it comes back, however far it got. */
export const authorisePayment = (window_ms: number): Step<ProviderPart> => ({
  name: AUTHORISE,
  when: byProvider,
  does: activity<ProviderPart>(AUTHORISE, { input: authoriseInput, learns: providerBooks, byHand: authorisedByHand, window_ms }),
  // Asked about for hours: a collect request that its owner can still approve is not yet undone.
  undo: activity<ProviderPart>('cancel-payment', {
    input: ({ id }) => ({ paymentKey: paymentKey(id) }),
    learns: providerBooks,
    byHand: cancelledByHand,
    attempts: 500,
    backoff: { first_ms: 1_000, most_ms: 60_000 },
  }),
  // Another amount than was asked for is nothing to confirm an order by: it goes back.
  objects: (data) => (isExact(data, data.providerPart) ? undefined : 'payment-declined'),
  refusedBecause: 'payment-declined',
  expiredBecause: 'payment-expired',
})

/**
 * Takes what was only held, while it is: it was authorised before this step began, so a last look at the end of its time tells whether it was taken
 * or has gone back. Past the pivot either is a person's to know; before it all is undone.
 */
export const capturePayment = (): Step<ProviderPart> => ({
  name: 'capture-payment',
  when: (data) => byProvider(data) && (data.captured ?? '0') === '0',
  does: activity<ProviderPart>('capture-payment', {
    input: captureInput,
    learns: providerBooks,
    // What was authorised is asked for whole.
    byHand: (_, { data: { providerPart } }) => ({ result: { captured: providerPart } }),
    window_ms: AUTHORISATION_LIFE_MS,
    backoff: { first_ms: 500, most_ms: 300_000 },
  }),
  expiredBecause: 'payment-expired',
})

const authoriseInput = ({ data }: Saga<ProviderPart>): JsonObject => {
  const { orderId, providerPart: amount, providerMethod: method, flow, plan, instrument } = data
  return {
    orderId,
    amount,
    ...(method ? { method } : {}),
    ...(flow ? { flow } : {}),
    ...(plan ? { plan } : {}),
    ...(instrument ? { instrument } : {}),
  }
}

const captureInput = ({ id, data: { providerPart, providerPaymentId = '' } }: Saga<ProviderPart>): JsonObject => ({
  paymentKey: paymentKey(id),
  providerPaymentId,
  amount: providerPart,
})

/** What the provider's books say, from an activity's result or a webhook. Fields that it does not tell stay as they are. */
const providerBooks = (
  told: JsonObject,
  { paidAt: known }: Pick<ProviderPart, 'paidAt'>,
): Pick<ProviderPart, 'providerPaymentId' | 'authorised' | 'captured' | 'refunded' | 'paidAt' | 'next'> => {
  const { providerPaymentId, authorised, captured, refunded, paidAt, next } = told
  const link = typeof next === 'object' && next !== null && 'kind' in next && 'url' in next ? next : undefined
  return {
    ...(typeof providerPaymentId === 'string' ? { providerPaymentId } : {}),
    ...(typeof authorised === 'string' ? { authorised } : {}),
    ...(typeof captured === 'string' ? { captured } : {}),
    ...(typeof refunded === 'string' ? { refunded } : {}),
    ...(known === undefined && typeof paidAt === 'string' ? { paidAt } : {}),
    ...(link ? { next: { kind: String(link.kind), url: String(link.url) } } : {}),
  }
}

/** The provider's id of the payment is what it is taken by and given back by. That it was taken already shows when it is to be taken. */
const authorisedByHand: ByHand<ProviderPart> = (told, { data: { providerPart, providerPaymentId: known } }) => {
  const { providerPaymentId = known } = told
  return providerPaymentId === undefined ? { lacks: ['providerPaymentId'] } : { result: { providerPaymentId, authorised: providerPart } }
}

/** Undone, nothing of it is left: what was taken went back. */
const cancelledByHand: ByHand<ProviderPart> = (_, { data: { captured = '0' } }) => ({
  result: captured === '0' ? { authorised: '0' } : { refunded: captured },
})

/**
 * A webhook is the outcome of the step that it speaks of, told by another way: before the answer, after it, or instead of it. A card that was
 * taken is the capture's outcome once the step before it is done. Only of the very amount that was asked for is it believed; where it says
 * another, or that a payment was declined (of several attempts that may be one), the provider is asked. A saga that has turned back looks again
 * at what it gave up, whatever the amount. Of another payment than the one that is known it is no outcome: what that one took is a saga of its own.
 */
export const providerTold =
  (beforeCapture: string) =>
  (told: JsonObject, saga: Saga<ProviderPart>): Directive<ProviderPart> => {
    const others = takenBesides(told, saga)
    if (others) return { learns: { others } }
    const capture =
      told['status'] === 'captured' && saga.data.providerMethod === 'card' && saga.succeeded(AUTHORISE) && saga.succeeded(beforeCapture)
    const step = capture ? 'capture-payment' : AUTHORISE
    switch (told['status']) {
      case 'authorised':
      case 'captured':
        return saga.failure || isExact(providerBooks(told, saga.data), saga.data.providerPart)
          ? { settles: { step, outcome: 'succeeded', result: told } }
          : { hastens: step }
      case 'declined':
        return { hastens: AUTHORISE }
      default:
        return {}
    }
  }

/** Once a payment is known: all that was taken by others, with this one. */
const takenBesides = (told: JsonObject, { data, succeeded, startedAt }: Saga<ProviderPart>): ProviderPart['others'] => {
  const { status, providerPaymentId, captured, paidAt } = told
  if (status !== 'captured' || !succeeded(AUTHORISE) || typeof captured !== 'string' || captured === '0') return undefined
  if (typeof providerPaymentId !== 'string' || [undefined, providerPaymentId].includes(data.providerPaymentId)) return undefined
  return { ...data.others, [providerPaymentId]: { captured, ...paidTime(paidAt, startedAt) } }
}

/** Nobody paid before they were asked to, whatever the provider's clock says. */
const paidTime = (paidAt: unknown, startedAt: number): { readonly paidAt?: string } => {
  const paid_ms = Math.max(typeof paidAt === 'string' ? Date.parse(paidAt) : NaN, startedAt)
  return Number.isNaN(paid_ms) ? {} : { paidAt: new Date(paid_ms).toISOString() }
}

/** What a saga has its provider take money for: done when the step `doneBy` is. */
export interface Purpose<Data> {
  readonly purpose: 'order' | 'load'
  readonly doneBy: string
  /** All that went back: a saga may know of more than its undoing gave. */
  readonly refunded: (data: Data) => string
}

/** Said when what the provider took or gave back is another than before, or what becomes of it. */
export const providerPaymentChanged = <Data extends ProviderPart>(
  saga: Saga<Data>,
  before: Saga<Data> | undefined,
  of: Purpose<Data>,
  { version, at, context }: { readonly version: number; readonly at: number; readonly context: MessageContext },
): readonly OutgoingMessage[] => {
  const told = takenOf(saga, of)
  if (!told || (before && JSON.stringify(takenOf(before, of)) === JSON.stringify(told))) return []
  const { orderId } = saga.data
  return [ProviderPaymentChanged.message(orderId, { sagaId: saga.id, orderId, version, ...told, at: new Date(at).toISOString() }, context)]
}

const takenOf = <Data extends ProviderPart>(saga: Saga<Data>, { purpose, doneBy, refunded }: Purpose<Data>) => {
  const { providerPaymentId, providerMethod: method, captured = '0', paidAt } = saga.data
  if (providerPaymentId === undefined || captured === '0') return undefined
  const use = saga.succeeded(doneBy) ? ('done' as const) : saga.failure ? ('undone' as const) : ('open' as const)
  return {
    providerPaymentId,
    captured,
    refunded: refunded(saga.data),
    purpose,
    ...(method === undefined ? {} : { method }),
    ...paidTime(paidAt, saga.startedAt),
    use,
  }
}

/** The payer's browser came back from the bank's page. What became of the payment only the provider knows: it is asked at once, unless it is being asked. */
export const PAYER_RETURNED = 'payer-returned'
export const payerReturned = (): Directive<ProviderPart> => ({ hastens: AUTHORISE })

/** The provider's part of a saga that has a payment made; undefined of any other. A stream's data is only ever written by its definition. */
export const providerPartOf = ({ type, data }: Pick<SagaState, 'type' | 'data'>): ProviderPart | undefined =>
  type === ORDER_PAYMENT || type === WALLET_LOAD ? (data as unknown as ProviderPart) : undefined
