import type pg from 'pg'
import { NO_HASH } from './hash-chain.js'
import { EVENT_COLUMNS, hashOf, type EventRow } from '../reading/recorded.js'
import { KEPT_AT } from '../sql/partitions.js'

interface Row extends EventRow {
  /** Null where the event before it is not there. */
  readonly before: Buffer | null
  /** Whether the stream's own row agrees, where this is its newest event. */
  readonly is_head: boolean
}

// One statement sees one state of the store. The stream's row is one that has this event for its newest, or a newer one. The event before it is looked
// for where the stream's events are kept, and not in every partition there ever was.
export const RECENT = `
SELECT ${EVENT_COLUMNS.replaceAll(/\w+/g, 'e.$&')}, b.hash AS before,
  coalesce(s.version > e.version OR (s.version = e.version AND s.head = e.hash), false) AS is_head
FROM (SELECT * FROM events ORDER BY position DESC LIMIT $1) e
LEFT JOIN streams s ON s.stream_id = e.stream_id
LEFT JOIN LATERAL (
  SELECT x.hash FROM events x WHERE x.stream_id = e.stream_id AND x.version = e.version - 1 AND ${KEPT_AT} >= s.since LIMIT 1
) b ON true`

/**
 * Streams whose hash chain does not hold in the newest `events` (at most 10,000) events of the store, or whose row says another end. The work is
 * the same whatever the store's size; `verifyAll` reads all of it.
 */
export const verifyRecent = async (pool: pg.Pool, events: number): Promise<readonly string[]> => {
  const { rows } = await pool.query<Row>({ name: 'verify-recent', text: RECENT, values: [Math.min(events, 10_000)] })
  return [...new Set(rows.filter((row) => !holds(row)).map((row) => row.stream_id))]
}

const holds = (row: Row): boolean => {
  const previous = row.version === 1n ? NO_HASH : row.before
  return previous !== null && row.is_head && hashOf(row, Number(row.version), previous).equals(row.hash)
}
