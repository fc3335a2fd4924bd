/**
 * Money is INR in whole paise, as a bigint: no float ever touches it.
 * On the wire it is `{"amount": "149900", "currency": "INR"}`.
 */
export type Paise = bigint & { readonly unit: 'paise' }

/** The largest amount the platform handles at once: 10^15 paise, ten thousand crore rupees. Beyond it an input is a mistake. */
export const MAX_PAISE = 1_000_000_000_000_000n

export interface MoneyJson {
  readonly amount: string
  readonly currency: 'INR'
}

export const paise = (value: bigint | number | string): Paise => BigInt(value) as Paise

export const ZERO = paise(0n)

export const add = (...amounts: readonly Paise[]): Paise => amounts.reduce((sum, amount) => (sum + amount) as Paise, ZERO)

export const subtract = (from: Paise, amount: Paise): Paise => (from - amount) as Paise

export const times = (amount: Paise, factor: number): Paise => (amount * BigInt(factor)) as Paise

export const toMoneyJson = (amount: Paise): MoneyJson => ({ amount: amount.toString(), currency: 'INR' })

const indianGrouping = new Intl.NumberFormat('en-IN')

/** `12,34,567.89`: Indian grouping, for people. */
export const formatRupees = (amount: Paise): string => {
  const rupees = indianGrouping.format(absolute(amount) / 100n)
  const rest = (absolute(amount) % 100n).toString().padStart(2, '0')
  return `${amount < 0n ? '-' : ''}${rupees}.${rest}`
}

/** `numerator / denominator` rounded half up (away from zero at the half), as GST rounds to the paisa. The denominator is positive. */
export const divideHalfUp = (numerator: bigint, denominator: bigint): Paise => {
  if (denominator <= 0n) throw new RangeError(`denominator must be positive, got ${denominator}`)
  const quotient = (absolute(numerator) * 2n + denominator) / (denominator * 2n)
  return (numerator < 0n ? -quotient : quotient) as Paise
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value)
