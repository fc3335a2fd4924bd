import { paise, refuse, type JsonObject, type Paise, type Refusal } from '#kernel'
import { inForceAt, type EffectiveRow } from './effective.js'
import type { ProviderMethod } from './method.js'

/**
 * A way to pay that goes as one that there is: an EMI as a card, pay-later as a bank's page. What it is besides is a row and no code: the
 * provider is told `tells`.
 */
export interface PlanRow extends EffectiveRow {
  /** What a client sends: `EMI_6`. */
  readonly plan: string
  readonly kind: 'emi' | 'pay-later'
  /** The method whose flow it takes. */
  readonly goesAs: ProviderMethod
  /** The order's total, from and to. */
  readonly least: Paise
  readonly most: Paise
  /** Not any more, from this row's day on. */
  readonly ended?: true
  /** What the provider is told of it, in its own names. */
  readonly tells: JsonObject
  readonly source: string
}

const DOCS = 'https://razorpay.com/docs/payments/payment-methods'
const emi = (months: number): PlanRow => ({
  plan: `EMI_${months}`,
  kind: 'emi',
  goesAs: 'card',
  effectiveFrom: '2020-01-01',
  least: paise(500_000),
  most: paise(50_000_000),
  tells: { method: 'emi', emi_duration: months },
  source: `${DOCS}/emi/faqs, 2026-11: whose card it is the token does not say, so the highest least amount of all banks: 5,000 (American Express); others ask 1,000 to 3,000`,
})

export const PAYMENT_PLANS: readonly PlanRow[] = [
  ...[3, 6, 9, 12].map(emi),
  {
    plan: 'LAZYPAY',
    kind: 'pay-later',
    goesAs: 'netbanking',
    effectiveFrom: '2020-01-01',
    least: paise(100),
    most: paise(1_000_000),
    tells: { method: 'paylater', provider: 'lazypay' },
    source: `${DOCS}/pay-later`,
  },
]

/** The plan as it is at a moment (milliseconds since the epoch); undefined: there is none of this name then. */
export const planAt = (plan: string, at_ms: number, rows: readonly PlanRow[] = PAYMENT_PLANS): PlanRow | undefined => {
  const row = inForceAt(
    at_ms,
    rows.filter((each) => each.plan === plan),
  )
  return row?.ended ? undefined : row
}

/** Why an order cannot be paid by a plan; undefined: it can. */
export const planRefusal = (
  {
    plan,
    method,
    amount,
    at_ms,
  }: { readonly plan: string; readonly method: ProviderMethod; readonly amount: Paise; readonly at_ms: number },
  rows: readonly PlanRow[] = PAYMENT_PLANS,
): Refusal | undefined => {
  const row = planAt(plan, at_ms, rows)
  if (!row || row.goesAs !== method) return refuse('plan-not-offered', `there is no such plan by ${method}`)
  return amount < row.least || amount > row.most
    ? refuse('plan-not-offered', 'the order is below or above what this plan is offered for')
    : undefined
}
