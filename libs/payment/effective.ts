import { beginningOf } from './days.js'

/** A row that holds from a day of India's calendar on, until the next of its kind. Changed by adding a row. */
export interface EffectiveRow {
  /** The first day: `2025-09-22`. */
  readonly effectiveFrom: string
}

/** Of the rows that have begun at a moment (milliseconds since the epoch) the one that began last; undefined before the first. */
export const inForceAt = <Row extends EffectiveRow>(at_ms: number, rows: readonly Row[]): Row | undefined =>
  rows
    .filter(({ effectiveFrom }) => beginningOf(effectiveFrom) <= at_ms)
    .reduce<Row | undefined>((last, row) => (last && last.effectiveFrom > row.effectiveFrom ? last : row), undefined)
