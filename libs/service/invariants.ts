import { verifyRecent } from '#event-store'
import type pg from 'pg'

/** What must always hold of what an app keeps. A check is bounded: newest rows of large tables, all of small ones. */
export interface Invariant {
  /** A label of metrics: `books-balance`. */
  readonly name: string
  /** What holds, as a sentence. */
  readonly holds: string
  /** Names of what breaks it, at most `MOST_VIOLATIONS`; ids and SKUs, nothing personal. */
  violations(pool: pg.Pool): Promise<readonly string[]>
}

export const MOST_VIOLATIONS = 100

/** By a query whose every row is a violation, named by its first column. */
export const byQuery = (name: string, holds: string, text: string): Invariant => ({
  name,
  holds,
  async violations(pool) {
    const { rows } = await pool.query<[unknown]>({ text: `${text} LIMIT ${MOST_VIOLATIONS}`, rowMode: 'array' })
    return rows.map(([violation]) => String(violation))
  },
})

const NEWEST_EVENTS = 2_000

/** Of every app with an event store. */
export const eventStoreHolds: Invariant = {
  name: 'hash-chains',
  holds: `the hash chains hold in the newest ${NEWEST_EVENTS} events`,
  violations: async (pool) => (await verifyRecent(pool, NEWEST_EVENTS)).slice(0, MOST_VIOLATIONS),
}
