import type { Features } from './features.js'

export type FraudDecision = 'approve' | 'review' | 'decline'

/** Why a transaction scores as it does. The contributions of all reasons add up to the score. */
export interface Reason {
  readonly code: string
  /** Its part of the score, in [0, 1]. */
  readonly contribution: number
  /** A sentence for the analyst; no personal data. */
  readonly text: string
}

export interface Score {
  /** In [0, 1], in steps of a thousandth. */
  readonly score: number
  readonly decision: FraudDecision
  /** The heaviest first. */
  readonly reasons: readonly Reason[]
}

/** A model: a scorecard, or a trained one. Pure: equal features, equal score. */
export interface Scorer {
  readonly version: string
  score(features: Features): Score
}
