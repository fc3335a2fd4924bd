import { subtract, ZERO, type Paise } from '#kernel'
import { commissionSplit, splitChange, type CommissionSplit, type CommissionTerms } from '#payment'

/** Accounts of the books of payments. Debits are above zero: what was collected, and what delay cost. The others are owed. */
export type Account =
  'collected' | 'merchant-payable' | 'commission' | 'commission-cgst' | 'commission-sgst' | 'turnaround-compensation' | 'customer-payable'

export interface Entry {
  readonly account: Account
  readonly amount: Paise
}

/** One posting: its entries add up to nothing. `journal` names what it posts, so that it is posted once. */
export interface Posting {
  readonly journal: string
  readonly kind: 'capture' | 'refund' | 'turnaround'
  readonly paymentId: string
  readonly orderId: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly entries: readonly Entry[]
}

/** A payment as the books have it. */
export interface BookedPayment {
  readonly paymentId: string
  readonly orderId: string
  readonly terms: CommissionTerms
  readonly captured: Paise
  readonly refunded: Paise
  readonly capturedAt: number
  /** What it was to capture, once it is complete. */
  readonly owed?: Paise
}

/** What a payment's new amounts post: what was captured more, then what was given back more. Amounts below the books' are old news. */
export const postingsOf = (
  before: BookedPayment,
  captured: Paise,
  refunded: Paise,
  at: number,
): { readonly after: BookedPayment; readonly postings: readonly Posting[] } => {
  const taken = { ...before, captured: captured > before.captured ? captured : before.captured }
  const given = refunded > taken.captured ? taken.captured : refunded
  const after = { ...taken, refunded: given > before.refunded ? given : before.refunded }
  const split = ({ captured, refunded, terms }: BookedPayment) => commissionSplit(captured, refunded, terms)
  const { paymentId, orderId } = before
  const about = { paymentId, orderId, at }
  const postings: Posting[] = [
    {
      ...about,
      kind: 'capture',
      journal: `${paymentId} capture ${after.captured}`,
      entries: entriesOf(splitChange(split(before), split(taken))),
    },
    {
      ...about,
      kind: 'refund',
      journal: `${paymentId} refund ${after.refunded}`,
      entries: entriesOf(splitChange(split(taken), split(after))),
    },
  ]
  return { after, postings: postings.filter(({ entries }) => entries.length > 0) }
}

/** A day's delay of a reversal, owed to the customer. `day` counts from 1. */
export const delayPosting = (of: Pick<Posting, 'paymentId' | 'orderId' | 'at'>, day: number, amount: Paise): Posting => ({
  ...of,
  kind: 'turnaround',
  journal: `${of.paymentId} turnaround ${day}`,
  entries: [
    { account: 'turnaround-compensation', amount },
    { account: 'customer-payable', amount: subtract(ZERO, amount) },
  ],
})

/** Takes a day's delay back that was posted and was none. */
export const delayReversal = (of: Pick<Posting, 'paymentId' | 'orderId' | 'at'>, day: number, amount: Paise): Posting => {
  const posted = delayPosting(of, day, subtract(ZERO, amount))
  return { ...posted, journal: `${posted.journal} reversed` }
}

const entriesOf = ({ collected, merchantPayable, commission, cgst, sgst }: CommissionSplit): readonly Entry[] => {
  const credit = (account: Account, amount: Paise): Entry => ({ account, amount: subtract(ZERO, amount) })
  const entries = [
    { account: 'collected' as const, amount: collected },
    credit('merchant-payable', merchantPayable),
    credit('commission', commission),
    credit('commission-cgst', cgst),
    credit('commission-sgst', sgst),
  ]
  return entries.filter(({ amount }) => amount !== ZERO)
}
