import type { FeatureName, Features } from './features.js'
import type { FraudDecision, Reason, Scorer } from './scorer.js'

/**
 * One row: when the feature is at least so much, it adds so many points. Of the rows with the same code the one with the highest bound that is
 * reached counts: together they are the bands of one reason.
 */
export interface Weight {
  readonly code: string
  readonly feature: FeatureName
  readonly atLeast: number
  /** Thousandths of a score. */
  readonly points: number
  /** The rows of a group together add at most its cap. */
  readonly group?: string
  readonly text: string
}

/** A scorecard is data: a change is a row with a later date, not a release. */
export interface Scorecard {
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly effectiveFrom: number
  readonly weights: readonly Weight[]
  /** Points, by group. */
  readonly caps: Readonly<Record<string, number>>
  /** From how many points on. */
  readonly reviewFrom: number
  readonly declineFrom: number
}

const FULL = 1_000

export const scorecardScorer = (card: Scorecard): Scorer => {
  const bands = byCode(card.weights)
  return {
    version: card.version,
    score(features) {
      const hits = bands.flatMap((rows) => reached(rows, features) ?? []).sort(heaviestFirst)
      const reasons: Reason[] = []
      const left = new Map(Object.entries(card.caps))
      let points = 0
      for (const hit of hits) {
        const room = Math.min(FULL - points, hit.group === undefined ? FULL : (left.get(hit.group) ?? FULL))
        const given = Math.min(hit.points, room)
        if (given <= 0) continue
        points += given
        if (hit.group !== undefined) left.set(hit.group, (left.get(hit.group) ?? FULL) - given)
        reasons.push({ code: hit.code, contribution: given / FULL, text: hit.text })
      }
      return { score: points / FULL, decision: decisionOf(card, points), reasons: reasons.sort(largestFirst) }
    },
  }
}

/** The scorecard in force at a time: the latest that is effective. Undefined before the first. */
export const scorecardAt = (cards: readonly Scorecard[], at: number): Scorecard | undefined =>
  cards
    .filter(({ effectiveFrom }) => effectiveFrom <= at)
    .reduce<Scorecard | undefined>((latest, card) => (latest && latest.effectiveFrom > card.effectiveFrom ? latest : card), undefined)

const decisionOf = (card: Scorecard, points: number): FraudDecision =>
  points >= card.declineFrom ? 'decline' : points >= card.reviewFrom ? 'review' : 'approve'

const byCode = (weights: readonly Weight[]): readonly (readonly Weight[])[] => [...Map.groupBy(weights, ({ code }) => code).values()]

const reached = (rows: readonly Weight[], features: Features): Weight | undefined =>
  rows
    .filter(({ feature, atLeast }) => features[feature] >= atLeast)
    .reduce<Weight | undefined>((highest, row) => (highest && highest.atLeast > row.atLeast ? highest : row), undefined)

const heaviestFirst = (a: Weight, b: Weight): number => b.points - a.points || (a.code < b.code ? -1 : 1)
const largestFirst = (a: Reason, b: Reason): number => b.contribution - a.contribution
