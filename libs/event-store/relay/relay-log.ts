import type pg from 'pg'
import { KEPT_AT } from '../sql/partitions.js'

/** To which log a store publishes, and how far it came. */
export interface RelayLog {
  /** None where no relay was here since stores remember it. */
  readonly log: string | undefined
  /** What the relay may not pass: see `holdRelay`. */
  readonly heldAt: bigint | undefined
  /** Entries that are still to be published, those behind the hold not counted; at most `MOST_COUNTED`. */
  readonly left: number
}

const MOST_COUNTED = 100_000

const LOOK = `
SELECT r.log, r.held_at, (
  SELECT count(*)::int FROM (
    SELECT FROM events WHERE position > r.position AND position <= coalesce(r.held_at, 9223372036854775807) AND ${KEPT_AT} > r.position
    UNION ALL
    SELECT FROM outbox WHERE position > r.position AND position <= coalesce(r.held_at, 9223372036854775807)
    UNION ALL
    SELECT FROM partitions WHERE archived_at IS NOT NULL AND upto > r.position + 1
    LIMIT ${MOST_COUNTED}
  ) waiting
) AS "left" FROM relay r`

export const lookAtRelay = async (pool: pg.Pool): Promise<RelayLog> => {
  const { rows } = await pool.query<{ log: string | null; held_at: bigint | null; left: number }>(LOOK)
  const [row] = rows
  return { log: row?.log ?? undefined, heldAt: row?.held_at ?? undefined, left: row?.left ?? 0 }
}

/**
 * Nothing that is committed after now goes out to `log`, by whatever relay; what was committed before does. Commits wait for it for a moment, as for
 * one of them: none is given a position while the last one given is read and written down, so that no relay can have seen a later one.
 * False: the store publishes to another log. One that is held stays held where it is.
 */
export const holdRelay = async (pool: pg.Pool, log: string): Promise<boolean> => {
  const { rowCount } = await pool.query(
    `WITH last AS (SELECT position FROM store FOR UPDATE)
     UPDATE relay SET held_at = coalesce(held_at, last.position) FROM last WHERE log = $1`,
    [log],
  )
  return rowCount === 1
}

/** Takes `holdRelay` back: the store goes on publishing to the log that it published to. */
export const letRelayGo = async (pool: pg.Pool): Promise<void> => {
  await pool.query('UPDATE relay SET held_at = NULL')
}

/**
 * From where it is held the store publishes to another log, by the next relay that is set to it; a living relay of the log before can send
 * nothing more. It wakes relays that wait. False: the store is not held, or something is left to be published to the log before.
 */
export const directRelay = async (pool: pg.Pool, to: string): Promise<boolean> => {
  const { rowCount } = await pool.query(
    `UPDATE relay SET log = $1, position = greatest(relay.position, relay.held_at), held_at = NULL,
       owner = NULL, epoch = relay.epoch + 1, lease_until = '-infinity'
     FROM (${LOOK}) AS now WHERE relay.held_at IS NOT NULL AND now."left" = 0`,
    [to],
  )
  if (rowCount !== 1) return false
  await pool.query(`SELECT pg_notify(left(current_schema() || '_outbox', 63), '')`)
  return true
}
