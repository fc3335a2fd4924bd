import { paise, refuse, type Paise, type Refusal } from '#kernel'
import { dayOfDate, istDay } from './calendar.js'

export type Kyc = 'small' | 'full'

/**
 * What a row bounds. Months, financial years and days are IST. All in paise but `transfers-per-day`, a count.
 * - `balance`: at any time, after a load, a credit or a transfer in
 * - `loads-per-month`, `loads-per-year`: what loads, credits and transfers bring in; never refunds and compensations
 * - `transfers-to-beneficiary-per-month`: out to one registered beneficiary
 * - `transfers-to-others-per-month`: out to all who are not registered, together
 * - `transfers-per-day`: how many go out
 * - `transfers-in-first-24-hours`: out, after the wallet was opened
 * - `cash-out-at-once`, `cash-out-per-month`: paid to the owner in cash
 */
export type LimitRule =
  | 'balance'
  | 'loads-per-month'
  | 'loads-per-year'
  | 'transfers-to-beneficiary-per-month'
  | 'transfers-to-others-per-month'
  | 'transfers-per-day'
  | 'transfers-in-first-24-hours'
  | 'cash-out-at-once'
  | 'cash-out-per-month'

/** One limit from one day on. A change of the law is a new row, not a release. */
export interface LimitRow {
  readonly kyc: Kyc
  readonly rule: LimitRule
  /** The first IST day that it holds on, `2021-08-27`. */
  readonly from: string
  /** Paise, or a count; null lifts the limit. */
  readonly max: string | null
  /** Where it is written. */
  readonly source: string
}

/** The limits in force for a kind of wallet at a time. Absent: none. */
export type Limits = Readonly<Partial<Record<LimitRule, bigint>>>
export type LimitsAt = (kyc: Kyc, at_ms: number) => Limits

/** Prepares rows for deciding; a day's limits are worked out once. */
export const limitsFrom = (rows: readonly LimitRow[]): LimitsAt => {
  const ordered = rows.map((row) => ({ ...row, day: dayOfDate(row.from) })).sort((a, b) => a.day - b.day)
  const cache = { day: NaN, small: {} as Limits, full: {} as Limits }
  const on = (kyc: Kyc, day: number): Limits => {
    const limits: Partial<Record<LimitRule, bigint>> = {}
    for (const row of ordered) {
      if (row.kyc !== kyc || row.day > day) continue
      if (row.max === null) delete limits[row.rule]
      else limits[row.rule] = BigInt(row.max)
    }
    return limits
  }
  return (kyc, at_ms) => {
    const day = istDay(at_ms)
    if (cache.day !== day) Object.assign(cache, { day, small: on('small', day), full: on('full', day) })
    return cache[kyc]
  }
}

const PPI = 'RBI Master Direction on Prepaid Payment Instruments, DPSS.CO.PD.No.S-479/02.14.006/2021-22 of 2021-08-27'
const UPI = 'NPCI, UPI person-to-person limits, taken over for transfers between wallets'
const row = (kyc: Kyc, rule: LimitRule, max: string, source: string): LimitRow => ({ kyc, rule, from: '2021-08-27', max, source })

/** What holds unless the configuration says otherwise. Check each against its source before relying on it. */
export const DEFAULT_LIMITS: readonly LimitRow[] = [
  row('small', 'balance', '1000000', `${PPI}, paragraph 9.1`),
  row('small', 'loads-per-month', '1000000', `${PPI}, paragraph 9.1`),
  row('small', 'loads-per-year', '12000000', `${PPI}, paragraph 9.1`),
  row('small', 'transfers-to-beneficiary-per-month', '0', `${PPI}, paragraph 9.1: goods and services only`),
  row('small', 'transfers-to-others-per-month', '0', `${PPI}, paragraph 9.1: goods and services only`),
  row('small', 'cash-out-per-month', '0', `${PPI}, paragraph 9.1: no cash withdrawal`),
  row('full', 'balance', '20000000', `${PPI}, paragraph 9.2`),
  row('full', 'transfers-to-beneficiary-per-month', '20000000', `${PPI}, paragraph 9.2`),
  row('full', 'transfers-to-others-per-month', '1000000', `${PPI}, paragraph 9.2`),
  row('full', 'transfers-per-day', '20', UPI),
  row('full', 'transfers-in-first-24-hours', '500000', UPI),
  row('full', 'cash-out-at-once', '200000', `${PPI}, cash withdrawal`),
  row('full', 'cash-out-per-month', '1000000', `${PPI}, cash withdrawal`),
]

/** Refuses when `would` is above the rule's limit. */
export const above = (
  limits: Limits,
  rule: LimitRule,
  would: Paise | bigint,
  slug: string,
  detail: string | ((max: bigint) => string),
): Refusal | undefined => {
  const max = limits[rule]
  if (max === undefined || would <= max) return undefined
  return refuse(slug, typeof detail === 'string' ? detail : detail(max))
}

/** A sum that begins anew with each period; a clock that went back counts into the newest period seen. */
export interface PeriodSum {
  readonly period: number
  readonly sum: Paise
}
export const NO_SUM: PeriodSum = { period: -1, sum: paise(0n) }
export const sumIn = ({ period, sum }: PeriodSum, asked: number): Paise => (asked > period ? paise(0n) : sum)
/** Takes out again what `addTo` put into `period`. A period that is over is over. */
export const takeFrom = ({ period, sum }: PeriodSum, from: number, amount: bigint): PeriodSum =>
  from === period ? { period, sum: paise(sum - amount) } : { period, sum }
export const addTo = (sum: PeriodSum, period: number, amount: bigint): PeriodSum => ({
  period: Math.max(sum.period, period),
  sum: paise(sumIn(sum, period) + amount),
})
