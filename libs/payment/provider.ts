import type { Paise } from '#kernel'
import type { ProviderMethod } from './method.js'
import type { PlanRow } from './plans.js'

/**
 * How long a provider is asked to hold what it authorised, milliseconds. Then it goes back by itself: a capture is tried no longer, and what an
 * undone order held is free again by then where a provider knows no void.
 */
export const AUTHORISATION_LIFE_MS = 60 * 60_000

/** `pending`: the customer has yet to approve. It may still become any other. */
export type ProviderPaymentStatus = 'pending' | 'authorised' | 'captured' | 'declined' | 'voided'

/** A payment in the provider's books. Amounts in paise; `refunded` is what has gone back, not what is on its way. */
export interface ProviderPayment {
  readonly paymentId: string
  readonly status: ProviderPaymentStatus
  readonly amount: Paise
  readonly captured: Paise
  readonly refunded: Paise
  /** When its payer paid, as the provider has it, milliseconds since the epoch. A clock of somebody else's: bound it. */
  readonly paidAt?: number
  /** Why it was declined: the provider's code, no personal data. */
  readonly reason?: string
  /** Where the customer must go on. */
  readonly next?: NextAction
}

export interface NextAction {
  readonly kind: 'redirect' | 'intent'
  readonly url: string
}

/**
 * What is known after a call.
 * - `answered`: the provider's books after it. `refused`: it will not, and nothing happened.
 * - `absent`: the provider knows no such payment at this moment; a call still under way may bring it.
 * - `unknown`: no answer, or one that says nothing: it may have happened. `retryAfter_ms`: before that it will not be known.
 */
export type ProviderAnswer =
  | { readonly known: 'answered'; readonly payment: ProviderPayment }
  | { readonly known: 'refused'; readonly slug: string; readonly detail: string }
  | { readonly known: 'absent' }
  | { readonly known: 'unknown'; readonly detail: string; readonly retryAfter_ms?: number }

/** The slug of a refund that the provider took on and that did not come to pass. Under its key it never will. */
export const REFUND_FAILED = 'refund-failed'

export interface AuthoriseRequest {
  readonly orderId: string
  readonly amount: Paise
  readonly method: ProviderMethod
  /** A VPA, a card's token, a bank code: never logged. */
  readonly instrument: string
  readonly flow?: 'collect' | 'intent'
  /** The plan that it is paid by, and what the provider is told of it. */
  readonly plan?: Pick<PlanRow, 'plan' | 'tells'>
  /** Where a bank's page sends the payer's browser in the end, whatever became of the payment. */
  readonly returnUrl?: string
}

/**
 * A payment provider. Every call that changes something carries an idempotency key: the same key again has no second effect and the same
 * answer. No call rejects: what goes wrong is `unknown`.
 */
export interface PaymentProvider {
  authorise(key: string, request: AuthoriseRequest, signal: AbortSignal): Promise<ProviderAnswer>
  /**
   * The status query, by the key that the payment was made with. Where a provider holds several of one key, the one that still binds money: taken
   * and not given back before held before pending before what is over. Undone one after another, the last shows that none is left.
   */
  find(key: string, signal: AbortSignal): Promise<ProviderAnswer>
  /** Takes what was authorised. */
  capture(key: string, paymentId: string, amount: Paise, signal: AbortSignal): Promise<ProviderAnswer>
  /** Gives up an authorisation. */
  void(key: string, paymentId: string, signal: AbortSignal): Promise<ProviderAnswer>
  refund(key: string, paymentId: string, amount: Paise, signal: AbortSignal): Promise<ProviderAnswer>
}
