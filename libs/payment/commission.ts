import { add, divideHalfUp, subtract, ZERO, type Paise } from '#kernel'
import { inForceAt, type EffectiveRow } from './effective.js'

/** What the platform keeps of a sale from a day on, until the next row's day. Changed by adding a row. */
export interface CommissionRow extends EffectiveRow {
  /** Of what was captured, GST included: hundredths of a percent. */
  readonly basisPoints: number
  /** On the commission, CGST and SGST together: a whole percent. */
  readonly gstRate: number
  readonly source: string
}

export const COMMISSION_ROWS: readonly CommissionRow[] = [
  {
    effectiveFrom: '2017-07-01',
    basisPoints: 200,
    gstRate: 18,
    source: 'Contract with merchants; GST on commission: Notification No. 11/2017-Central Tax (Rate), 2017-06-28, SAC 9985',
  },
]

/** What is agreed for one payment: the row of the day on which money was first captured, kept for all that follows. */
export type CommissionTerms = Pick<CommissionRow, 'basisPoints' | 'gstRate'>

export const NO_COMMISSION: CommissionTerms = { basisPoints: 0, gstRate: 0 }

/** The terms valid at a moment (milliseconds since the epoch): before the first row nothing is kept. */
export const commissionTermsAt = (at_ms: number, rows: readonly CommissionRow[] = COMMISSION_ROWS): CommissionTerms =>
  inForceAt(at_ms, rows) ?? NO_COMMISSION

/** Paise. What was collected is the merchant's payable, the commission and the two halves of its GST, to the paisa. */
export interface CommissionSplit {
  readonly collected: Paise
  readonly merchantPayable: Paise
  readonly commission: Paise
  readonly cgst: Paise
  readonly sgst: Paise
}

export const NO_SPLIT: CommissionSplit = { collected: ZERO, merchantPayable: ZERO, commission: ZERO, cgst: ZERO, sgst: ZERO }

/**
 * How what a payment took, less what it gave back, is divided. Commission and GST are rounded half up to the paisa, and the odd paisa of the
 * GST is the state's. A refund takes back its share of each, half up of the whole so far: many refunds together take back what one would, and
 * when all is given back nothing is left of any. `0 <= refunded <= captured`.
 */
export const commissionSplit = (captured: Paise, refunded: Paise, { basisPoints, gstRate }: CommissionTerms): CommissionSplit => {
  if (refunded < ZERO || refunded > captured) throw new RangeError('refunded is between nothing and what was captured')
  if (captured === ZERO) return NO_SPLIT
  const kept = (whole: Paise): Paise => subtract(whole, divideHalfUp(whole * refunded, captured))
  const wholeCommission = divideHalfUp(captured * BigInt(basisPoints), 10_000n)
  const commission = kept(wholeCommission)
  const gst = kept(divideHalfUp(wholeCommission * BigInt(gstRate), 100n))
  const cgst = (gst / 2n) as Paise
  const collected = subtract(captured, refunded)
  return { collected, merchantPayable: subtract(collected, add(commission, gst)), commission, cgst, sgst: subtract(gst, cgst) }
}

/** From one split to another. */
export const splitChange = (before: CommissionSplit, after: CommissionSplit): CommissionSplit => ({
  collected: subtract(after.collected, before.collected),
  merchantPayable: subtract(after.merchantPayable, before.merchantPayable),
  commission: subtract(after.commission, before.commission),
  cgst: subtract(after.cgst, before.cgst),
  sgst: subtract(after.sgst, before.sgst),
})
