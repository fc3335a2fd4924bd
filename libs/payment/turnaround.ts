import { paise, times, ZERO, type Paise } from '#kernel'
import { beginningOf, daysAfter, indianDate } from './days.js'
import { inForceAt, type EffectiveRow } from './effective.js'
import type { ProviderMethod } from './method.js'

/** How soon money that was taken for nothing must be back, from a day on. Changed by adding a row. */
export interface TurnaroundRow extends EffectiveRow {
  readonly method: ProviderMethod | 'wallet'
  /** Calendar days after the day of the debit (T): by the end of T + days it must be back. */
  readonly days: number
  /** To the customer for each day of delay begun after that. */
  readonly compensation: Paise
  readonly source: string
}

const RBI_2019 = 'RBI/2019-20/67 DPSS.CO.PD No.629/02.01.014/2019-20, 2019-09-20, Annex'

/** Net banking has no row of its own in the circular; payments to merchants by other means are held to the same five days. */
export const TURNAROUND_ROWS: readonly TurnaroundRow[] = [
  { effectiveFrom: '2019-10-15', method: 'wallet', days: 1, compensation: paise(10_000), source: RBI_2019 },
  { effectiveFrom: '2019-10-15', method: 'upi', days: 5, compensation: paise(10_000), source: RBI_2019 },
  { effectiveFrom: '2019-10-15', method: 'card', days: 5, compensation: paise(10_000), source: RBI_2019 },
  { effectiveFrom: '2019-10-15', method: 'netbanking', days: 5, compensation: paise(10_000), source: RBI_2019 },
]

/** When a reversal is due, and what a day's delay costs. */
export interface Turnaround {
  /** The last day on which it is in time. */
  readonly dueDate: string
  /** The end of that day, milliseconds since the epoch: the first moment at which it is late. */
  readonly lateAt: number
  readonly compensation: Paise
}

/** Of money debited at a moment (milliseconds since the epoch) by a method; undefined where no row rules it. */
export const turnaroundOf = (
  method: TurnaroundRow['method'],
  debitedAt_ms: number,
  rows: readonly TurnaroundRow[] = TURNAROUND_ROWS,
): Turnaround | undefined => {
  const valid = inForceAt(
    debitedAt_ms,
    rows.filter((row) => row.method === method),
  )
  if (!valid) return undefined
  const dueDate = daysAfter(indianDate(debitedAt_ms), valid.days)
  return { dueDate, lateAt: beginningOf(daysAfter(dueDate, 1)), compensation: valid.compensation }
}

/** The days of delay that have begun by a moment; the day on which it came back counts. */
export const daysLate = ({ dueDate, lateAt }: Pick<Turnaround, 'dueDate' | 'lateAt'>, at_ms: number): number =>
  at_ms < lateAt ? 0 : Math.round((beginningOf(indianDate(at_ms)) - beginningOf(dueDate)) / 86_400_000)

/** What the customer is owed for it by a moment. */
export const compensationDue = (turnaround: Turnaround, at_ms: number): Paise => {
  const days = daysLate(turnaround, at_ms)
  return days === 0 ? ZERO : times(turnaround.compensation, days)
}
