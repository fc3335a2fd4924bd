import { sealedText, type SealedTexts } from '#event-store'
import { paise, subtract, ZERO, type JsonObject, type Paise } from '#kernel'
import {
  isProviderMethod,
  planAt,
  REFUND_FAILED,
  type AuthoriseRequest,
  type PaymentMethod,
  type PaymentProvider,
  type PlanRow,
  type ProviderAnswer,
  type ProviderPayment,
} from '#payment'
import type { Activity, ActivityOutcome, ActivityRun } from '#saga'

export interface PaymentActivitiesPorts {
  readonly provider: PaymentProvider
  /** Opens the instrument, which is in the clear as long as the call that it goes into lasts. */
  readonly sealed: SealedTexts
  /**
   * How long after a payment was asked for the provider may still learn of it, milliseconds: longer than any request may take. Only after it
   * is a payment that the provider does not know taken for one that never was.
   */
  readonly settle_ms: number
  /** Where a bank's page sends the payer's browser back to, of the saga that asks for the payment; absent: nowhere. */
  readonly returnUrl?: ((sagaId: string) => string) | undefined
  /** EMI and pay-later: those in the code unless given. */
  readonly plans?: readonly PlanRow[]
}

/** The provider calls of the payment sagas. Each is idempotent by its run's key, and says `unknown` where it does not know. */
export const paymentActivities = (ports: PaymentActivitiesPorts): Readonly<Record<string, Activity>> => ({
  'authorise-payment': (run, signal) => authorise(ports, run, signal),
  'cancel-payment': (run, signal) => cancel(ports, run, signal),
  'capture-payment': (run, signal) => capture(ports.provider, run, signal),
  'refund-payment': (run, signal) => refund(ports.provider, run, signal),
})

/** After an unknown outcome the provider is asked first; what it does not know is sent again under the same key. */
const authorise = async (
  { provider, sealed, returnUrl, plans }: PaymentActivitiesPorts,
  run: ActivityRun,
  signal: AbortSignal,
): Promise<ActivityOutcome> => {
  if (run.attempt > 1) {
    const found = await provider.find(run.key, signal)
    if (found.known !== 'absent') return authorised(found)
  }
  const method = METHODS.find((known) => known === run.input['method'])
  if (!method || !isProviderMethod(method)) return { outcome: 'refused', slug: 'method-not-offered', detail: 'not offered yet' }
  const sealedInstrument = sealedText(run.input['instrument'])
  const [instrument] = sealedInstrument ? await sealed.openAll([sealedInstrument]) : []
  if (instrument === undefined) return { outcome: 'refused', slug: 'instrument-unavailable', detail: 'the instrument cannot be read' }
  const flow: Pick<AuthoriseRequest, 'flow'> = method === 'upi' ? { flow: run.input['flow'] === 'intent' ? 'intent' : 'collect' } : {}
  const wanted = run.input['plan']
  const plan = typeof wanted === 'string' ? planAt(wanted, run.startedAt, plans) : undefined
  if (wanted !== undefined && !plan) return { outcome: 'refused', slug: 'plan-not-offered', detail: 'the plan is not offered any more' }
  const request = {
    orderId: text(run, 'orderId'),
    amount: paise(text(run, 'amount')),
    method,
    instrument,
    ...flow,
    ...(plan ? { plan: { plan: plan.plan, tells: plan.tells } } : {}),
    ...(method === 'netbanking' && returnUrl ? { returnUrl: returnUrl(run.sagaId) } : {}),
  }
  return authorised(await provider.authorise(run.key, request, signal))
}

const authorised = (answer: ProviderAnswer): ActivityOutcome => {
  if (answer.known !== 'answered') return notAnswered(answer)
  const { payment } = answer
  switch (payment.status) {
    case 'authorised':
    case 'captured':
      return { outcome: 'succeeded', result: booksOf(payment) }
    case 'pending':
      return { outcome: 'unknown', detail: 'pending', result: booksOf(payment) }
    case 'declined':
    case 'voided':
      return { outcome: 'refused', slug: 'declined', detail: payment.reason ?? payment.status }
  }
}

/** Payments of one key that one run undoes: more than one only where the provider could not keep them to one. */
const MOST_PAYMENTS = 5

/**
 * Undoes whatever became of the payment: nothing, a void, or a refund. It is done when a look finds nothing left: a provider may hold more than
 * one payment of a key. What is still pending may yet be paid, and is asked about again.
 */
const cancel = async (ports: PaymentActivitiesPorts, run: ActivityRun, signal: AbortSignal): Promise<ActivityOutcome> => {
  for (let undone = 0; undone < MOST_PAYMENTS; undone++) {
    const outcome = await undoOne(ports, run, signal)
    if (outcome !== 'undone') return outcome
  }
  return { outcome: 'unknown', detail: 'there may be more payments of this key' }
}

const undoOne = async (
  { provider, settle_ms }: PaymentActivitiesPorts,
  run: ActivityRun,
  signal: AbortSignal,
): Promise<ActivityOutcome | 'undone'> => {
  const found = await provider.find(text(run, 'paymentKey'), signal)
  if (found.known === 'absent') {
    const wait_ms = run.startedAt + settle_ms - run.now
    if (wait_ms > 0) return { outcome: 'unknown', detail: 'not known to the provider', retryAfter_ms: wait_ms }
    return { outcome: 'succeeded', result: { authorised: '0' } }
  }
  if (found.known !== 'answered') return notAnswered(found)
  const { payment } = found
  const left = subtract(payment.captured, payment.refunded)
  switch (payment.status) {
    case 'pending':
      return { outcome: 'unknown', detail: 'pending', result: booksOf(payment) }
    case 'declined':
    case 'voided':
      return { outcome: 'succeeded', result: booksOf(payment) }
    case 'authorised':
      return undone(await provider.void(`${run.key}:void`, payment.paymentId, signal))
    case 'captured':
      if (left <= ZERO) return { outcome: 'succeeded', result: booksOf(payment) }
      return undone(await provider.refund(`${run.key}:refund`, payment.paymentId, left, signal))
  }
}

/** A refusal means that it has moved on since it was looked at: it is looked at again. A refund that failed is a person's to make by another way. */
const undone = (answer: ProviderAnswer): ActivityOutcome | 'undone' => {
  if (answer.known === 'answered') return 'undone'
  if (answer.known === 'refused' && answer.slug !== REFUND_FAILED) return { outcome: 'unknown', detail: answer.slug }
  return notAnswered(answer)
}

const capture = async (provider: PaymentProvider, run: ActivityRun, signal: AbortSignal): Promise<ActivityOutcome> => {
  const amount = paise(text(run, 'amount'))
  const answer = await provider.capture(run.key, text(run, 'providerPaymentId'), amount, signal)
  if (answer.known === 'answered') return captured(answer.payment, amount)
  if (answer.known !== 'refused') return notAnswered(answer)
  // Refused because it was taken already is as good as taken; where nobody can tell, it is not refused.
  const found = await provider.find(text(run, 'paymentKey'), signal)
  if (found.known !== 'answered') return { outcome: 'unknown', detail: `refused, and then ${found.known}` }
  switch (found.payment.status) {
    case 'captured':
      return captured(found.payment, amount)
    case 'voided':
      return { outcome: 'refused', slug: 'authorisation-lapsed', detail: 'what was held went back', result: booksOf(found.payment) }
    default:
      return notAnswered(answer)
  }
}

/** What was taken is what was asked for; else it is a person's to look at, with the books as they are. */
const captured = (payment: ProviderPayment, amount: Paise): ActivityOutcome =>
  payment.captured === amount
    ? { outcome: 'succeeded', result: booksOf(payment) }
    : { outcome: 'refused', slug: 'another-amount', detail: 'another amount was captured', result: booksOf(payment) }

const refund = async (provider: PaymentProvider, run: ActivityRun, signal: AbortSignal): Promise<ActivityOutcome> => {
  const answer = await provider.refund(run.key, text(run, 'providerPaymentId'), paise(text(run, 'amount')), signal)
  if (answer.known === 'answered') return { outcome: 'succeeded', result: booksOf(answer.payment) }
  return notAnswered(answer)
}

const notAnswered = (answer: Exclude<ProviderAnswer, { known: 'answered' }>): ActivityOutcome => {
  switch (answer.known) {
    case 'refused':
      return { outcome: 'refused', slug: answer.slug, detail: answer.detail }
    case 'absent':
      return { outcome: 'unknown', detail: 'not known to the provider' }
    case 'unknown':
      return {
        outcome: 'unknown',
        detail: answer.detail,
        ...(answer.retryAfter_ms === undefined ? {} : { retryAfter_ms: answer.retryAfter_ms }),
      }
  }
}

/** A payment of the provider's as the sagas learn it. */
export const booksOf = ({ paymentId, status, amount, captured, refunded, paidAt, next }: ProviderPayment): JsonObject => ({
  providerPaymentId: paymentId,
  status,
  // Held or taken; what was given up or never given is nothing.
  authorised: status === 'authorised' || status === 'captured' ? amount.toString() : '0',
  captured: captured.toString(),
  refunded: refunded.toString(),
  ...(paidAt === undefined ? {} : { paidAt: new Date(paidAt).toISOString() }),
  ...(next ? { next: { kind: next.kind, url: next.url } } : {}),
})

const METHODS: readonly PaymentMethod[] = ['wallet', 'upi', 'card', 'netbanking', 'cod', 'split']

const text = ({ input }: ActivityRun, name: string): string => {
  const value = input[name]
  if (typeof value !== 'string') throw new TypeError(`${name} is missing`)
  return value
}
