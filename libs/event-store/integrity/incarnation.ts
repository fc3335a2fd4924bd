import type pg from 'pg'

export class RenewRefused extends Error {}

export interface Renewed {
  readonly before: string
  readonly after: string
}

const RENEW = `
UPDATE store SET incarnation = uuidv7()
FROM relay
WHERE lease_until < clock_timestamp() AND uuidv7() > incarnation
RETURNING old.incarnation AS before, new.incarnation AS after`

const WHY = `SELECT incarnation, lease_until > clock_timestamp() AS published, lease_until FROM store, relay`

/**
 * Makes another store of one that was brought back from a backup: its versions begin lower than those its consumers have seen, and what it records
 * from now on counts nevertheless. To be done with the app stopped, before its first start on what was brought back; once more does no harm.
 * Throws `RenewRefused` where a process of the app publishes, and where the clock is behind the store's.
 */
export const renewIncarnation = async (pool: pg.Pool): Promise<Renewed> => {
  const { rows } = await pool.query<Renewed>(RENEW)
  if (rows[0]) return rows[0]
  const why = await pool.query<{ incarnation: string; published: boolean; lease_until: Date }>(WHY)
  const { incarnation, published, lease_until } = why.rows[0] ?? {}
  if (published)
    throw new RenewRefused(
      `a process of the app publishes, or did when the backup was made: stop it, and ask again after ${lease_until?.toISOString()}`,
    )
  throw new RenewRefused(`the clock of this PostgreSQL is behind the one that made the incarnation ${incarnation}: set it right first`)
}
