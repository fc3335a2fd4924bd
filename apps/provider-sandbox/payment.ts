import { add, type Paise, type Refusal, refuse, subtract, ZERO } from '#kernel'
import type { Method, Outcome } from './outcome.js'

export type PaymentStatus = 'pending' | 'authorised' | 'captured' | 'declined' | 'voided'
export type PaymentEvent = 'payment.authorised' | 'payment.captured' | 'payment.declined' | 'payment.voided' | 'payment.refunded'

/** One payment in the provider's books. Amounts in paise; `0 <= refunded <= captured <= amount`. */
export interface Payment {
  readonly paymentId: string
  readonly idempotencyKey: string
  readonly orderId: string
  readonly method: Method
  readonly flow?: 'collect' | 'intent'
  readonly amount: Paise
  readonly status: PaymentStatus
  readonly captured: Paise
  readonly refunded: Paise
  /** When it was authorised or taken at once, milliseconds since the epoch. */
  readonly paidAt?: number
  readonly declineReason?: string
  /** When a pending payment will be paid, or is declined if its payer is asked, milliseconds since the epoch. */
  readonly dueAt?: number
  /** Its payer decides at the sandbox's page, which then sends the browser here. */
  readonly asksPayer?: boolean
  readonly returnUrl?: string
}

/** A payment as it now is, and what the merchant is told of it. Nothing is told of a payment that goes on pending. */
export interface Change {
  readonly payment: Payment
  readonly event?: { readonly type: PaymentEvent; readonly amount: Paise }
}

/** A card is authorised and waits for its capture; UPI and net banking move the money at once. */
export const paid = (payment: Payment, now: number): Change => {
  const { dueAt: _, ...rest } = payment
  const { amount } = payment
  return payment.method === 'card'
    ? { payment: { ...rest, status: 'authorised', paidAt: now }, event: { type: 'payment.authorised', amount } }
    : { payment: { ...rest, status: 'captured', captured: amount, paidAt: now }, event: { type: 'payment.captured', amount } }
}

export const declined = (payment: Payment, reason: string): Change => {
  const { dueAt: _, ...rest } = payment
  return { payment: { ...rest, status: 'declined', declineReason: reason }, event: { type: 'payment.declined', amount: payment.amount } }
}

/** What its payer says at the page; undefined where nobody is asked, or not any more. */
export const decided = (payment: Payment, pays: boolean, now: number): Change | undefined => {
  if (payment.status !== 'pending' || !payment.asksPayer) return undefined
  return pays ? paid(payment, now) : declined(payment, 'declined-by-payer')
}

/** Its time has come: it is paid, or nobody who was asked has answered. */
export const due = (payment: Payment, now: number): Change => (payment.asksPayer ? declined(payment, 'expired') : paid(payment, now))

/** The first state of a payment whose outcome is known; `dueAt` is for those that are paid later. */
export const opened = (
  payment: Payment,
  outcome: Outcome | undefined,
  { now, dueAt }: { readonly now: number; readonly dueAt: number },
): Change => {
  switch (outcome) {
    case undefined:
      return declined(payment, 'unknown-instrument')
    case 'declined':
      return declined(payment, 'declined-by-bank')
    case 'paid':
    case 'lost':
      return paid(payment, now)
    case 'timeout':
      throw new TypeError('a payment that never happens has no place in the books')
    case 'asked':
      return { payment: { ...payment, dueAt, asksPayer: true } }
    case 'slow':
    case 'late':
      return { payment: { ...payment, dueAt } }
  }
}

export type Operation = 'capture' | 'void' | 'refund'

/** Without `amount` a capture takes all that was authorised, a refund all that is left. A partial capture releases the rest. */
export const operate = (payment: Payment, operation: Operation, amount?: Paise): Change | Refusal => {
  switch (operation) {
    case 'capture': {
      const take = amount ?? payment.amount
      if (payment.status !== 'authorised') return refuse('invalid-transition', `a ${payment.status} payment cannot be captured`, 'conflict')
      if (take <= ZERO || take > payment.amount) return refuse('amount-too-large', 'more than was authorised', 'conflict')
      return { payment: { ...payment, status: 'captured', captured: take }, event: { type: 'payment.captured', amount: take } }
    }
    case 'void':
      if (payment.status !== 'authorised') return refuse('invalid-transition', `a ${payment.status} payment cannot be voided`, 'conflict')
      return { payment: { ...payment, status: 'voided' }, event: { type: 'payment.voided', amount: payment.amount } }
    case 'refund': {
      const left = subtract(payment.captured, payment.refunded)
      const give = amount ?? left
      if (payment.status !== 'captured') return refuse('invalid-transition', `a ${payment.status} payment cannot be refunded`, 'conflict')
      if (give <= ZERO || give > left) return refuse('amount-too-large', 'more than was captured and not yet refunded', 'conflict')
      return {
        payment: { ...payment, refunded: add(payment.refunded, give) },
        event: { type: 'payment.refunded', amount: give },
      }
    }
  }
}
