import type { Backgrounds, Score, Transaction as Scorable } from '#fraud'
import type { Transaction } from '#kernel'

/** A transaction that was scored and counts for those after it. */
export interface ScoredTransaction {
  /** The id of the command that asked for it: counted once. */
  readonly id: string
  /** Absent where a described transaction was counted that no order stands behind. */
  readonly orderId?: string
  readonly transaction: Scorable
  readonly score: Score
  readonly modelVersion: string
  /** Of one that a person decides, and of one drawn as a sample. */
  readonly alertId?: string
  /** Milliseconds since the epoch. */
  readonly scoredAt: number
}

/** What became of an order. Each of these may come first, and any number of times. */
export interface OrderOutcome {
  readonly orderId: string
  readonly confirmed?: true
  readonly cancelReason?: string
  /** Its payment was undone. With no reason known, or one that lies in the payment, it counts as failed. */
  readonly compensated?: true
}

export interface FeatureRead {
  readonly backgrounds: Backgrounds
  /** Those of the candidates that were scored before. */
  readonly known: ReadonlyMap<string, ScoredTransaction>
}

/** What scoring remembers. */
export interface FeatureStore {
  /** Reads the background of all candidates at once. */
  read(candidates: readonly { readonly id: string; readonly transaction: Scorable }[]): Promise<FeatureRead>
  /** Counts each, once per id. */
  record(tx: Transaction, scored: readonly ScoredTransaction[]): Promise<void>
  /** Orders that were never scored are passed over. */
  recordOutcomes(tx: Transaction, outcomes: readonly OrderOutcome[]): Promise<void>
}

/** A cancellation that says that the customer's payment failed. */
export const FAILED_PAYMENT_REASONS: readonly string[] = ['payment-declined', 'payment-expired']
