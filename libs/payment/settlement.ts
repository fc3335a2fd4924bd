import type { Paise } from '#kernel'

/** What a line of a settlement file moves. `adjustment`: something of the provider's own making, such as a chargeback. */
export type MovementKind = 'capture' | 'refund' | 'adjustment'

/** One line of a provider's file of a day: money that it took for us, or gave back. Amounts in paise. */
export interface SettlementLine {
  /** In the file, from 1. */
  readonly line: number
  readonly kind: MovementKind
  /** The provider's id of the payment that it belongs to. */
  readonly paymentId: string
  /** The idempotency key that the payment was asked for with, where the file tells it. */
  readonly reference?: string
  readonly amount: Paise
  /** What the provider keeps for it, and the GST on that, not in `fee`. */
  readonly fee: Paise
  readonly tax: Paise
}

/** A file that says what cannot be: nothing of it is taken over. `field` is a column's name. */
export class BrokenSettlementFile extends Error {
  constructor(
    readonly line: number,
    readonly field: string,
    readonly rule: string,
  ) {
    super(`line ${line}, ${field}: ${rule}`)
  }
}

/**
 * What a provider settles. `lines` throws `BrokenSettlementFile`, and anything else where it is interrupted.
 * - `not-yet`: the day's file is not there, and will be.
 * - `unknown`: no answer, or one that says nothing.
 */
export type SettlementAnswer =
  | { readonly known: 'file'; readonly lines: AsyncIterable<SettlementLine> }
  | { readonly known: 'not-yet' }
  | { readonly known: 'unknown'; readonly detail: string }

export interface SettlementFiles {
  /**
   * Within so many working days after money moved it is in a file: 0, in that of its own day. Until then that it is in none says nothing.
   */
  readonly settlesAfter: number
  /** Of a day of India's calendar. It does not reject. */
  of(date: string, signal: AbortSignal): Promise<SettlementAnswer>
}

/**
 * Where a provider's books and ours differ about a payment, when all of it up to a day is summed up: a movement is only theirs, only ours, or
 * of another amount.
 */
export type DifferenceKind = 'missing-here' | 'missing-there' | 'different-amount'
