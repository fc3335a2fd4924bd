import { scorecardAt, scorecardScorer, type FeatureName, type Scorecard, type Scorer, type Weight } from '#fraud'
import type { Clock } from '#kernel'
import type pg from 'pg'

/** Which model scores now. */
export interface Models {
  current(): Promise<Scorer>
}

const FRESH_FOR_MS = 10_000

/** Scorecards from their rows, read again every 10 seconds: a new one needs no restart. */
export class PgScorecards implements Models {
  #cards: readonly Scorecard[] = []
  #readAt = Number.NEGATIVE_INFINITY
  #scorer: Scorer | undefined

  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
  ) {}

  /** Rejects when no scorecard is in force: to approve everything then would be the wrong default. */
  async current(): Promise<Scorer> {
    const now = this.clock.now()
    if (now - this.#readAt > FRESH_FOR_MS) {
      this.#cards = await this.#read()
      this.#readAt = now
      this.#scorer = undefined
    }
    const card = scorecardAt(this.#cards, now)
    if (!card) throw new Error('no scorecard is in force')
    if (this.#scorer?.version !== card.version) this.#scorer = scorecardScorer(card)
    return this.#scorer
  }

  async #read(): Promise<readonly Scorecard[]> {
    const { rows } = await this.pool.query<CardRow>({ name: 'scorecards', text: SCORECARDS })
    return rows.map((row) => ({
      version: row.version,
      effectiveFrom: row.effective_from.getTime(),
      reviewFrom: row.review_from,
      declineFrom: row.decline_from,
      caps: row.caps,
      weights: row.weights.map(({ group, ...weight }): Weight => (group === null ? weight : { ...weight, group })),
    }))
  }
}

interface CardRow {
  readonly version: string
  readonly effective_from: Date
  readonly review_from: number
  readonly decline_from: number
  readonly caps: Readonly<Record<string, number>>
  readonly weights: readonly {
    readonly code: string
    readonly feature: FeatureName
    readonly atLeast: number
    readonly points: number
    readonly group: string | null
    readonly text: string
  }[]
}

const SCORECARDS = `
  SELECT version, effective_from, review_from, decline_from,
    coalesce((SELECT jsonb_object_agg(group_name, points) FROM scorecard_cap c WHERE c.version = s.version), '{}') AS caps,
    coalesce((
      SELECT jsonb_agg(jsonb_build_object(
        'code', code, 'feature', feature, 'atLeast', at_least, 'points', points, 'group', group_name, 'text', text))
      FROM scorecard_weight w WHERE w.version = s.version
    ), '[]') AS weights
  FROM scorecard s`
