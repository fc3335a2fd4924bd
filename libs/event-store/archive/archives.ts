import type pg from 'pg'
import type { Query } from '../reading/rows.js'
import { EVENT_COLUMNS } from '../reading/recorded.js'
import { ARCHIVE_UNSOUND, KEPT_AT } from '../sql/partitions.js'
import { StoreUnavailable } from '../store.js'

/** What an archive should hold is not to be had from it. */
export class ArchiveUnusable extends StoreUnavailable {}

/** Events were archived, and their archive was taken out of the database: put that table back, under its name. */
export class ArchiveMissing extends ArchiveUnusable {
  constructor(readonly archive: string) {
    super(`the archive ${archive} is not in this database: put that table back under its name`)
  }
}

/** An archive that was put back is not what was taken out: an older dump, or loaded twice. Nothing was changed. */
export class ArchiveUnsound extends ArchiveUnusable {}

/** Where events are twice: which archive holds a stream that is not archived in it, and what to do. */
export const strayIn = (archive: string, stream: string): ArchiveUnsound =>
  new ArchiveUnsound(
    `the archive ${archive} holds ${stream}, which has come back from it since or was never archived in it: it was put back from an older dump. Take out ` +
      `what is not archived in it: DELETE FROM ${quoted(archive)} a WHERE NOT EXISTS (SELECT FROM streams s WHERE s.stream_id = a.stream_id AND s.archive = '${archive}')`,
  )

export interface ArchiveHere {
  readonly name: string
  /** False: the table was taken elsewhere. */
  readonly here: boolean
}

const ARCHIVES = `
SELECT name, to_regclass(quote_ident(name)) IS NOT NULL AS here FROM partitions WHERE archived_at IS NOT NULL AND upto > $1 ORDER BY since`

/** The archives that may hold what comes after a position, those that are still attached among them. */
export const archivesAfter = async (db: Query, position: bigint): Promise<readonly string[]> => {
  const { rows } = await db.query<ArchiveHere>({ name: 'archives_after', text: ARCHIVES, values: [position] })
  const gone = rows.find(({ here }) => !here)
  if (gone) throw new ArchiveMissing(gone.name)
  return rows.map(({ name }) => name)
}

const DETACHED = `
SELECT p.name, to_regclass(quote_ident(p.name)) IS NOT NULL AS here FROM partitions p
WHERE p.archived_at IS NOT NULL AND NOT EXISTS (
  SELECT FROM pg_inherits i WHERE i.inhrelid = to_regclass(quote_ident(p.name)) AND NOT i.inhdetachpending)
ORDER BY p.since`

/** The archives that are no part of `events` in this transaction, whose first statement locked that: what it says then stays so to its end. */
export const detachedArchives = async (client: pg.PoolClient): Promise<readonly ArchiveHere[]> =>
  (await client.query<ArchiveHere>(DETACHED)).rows

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** What to select from for the events of the store and of these archives, with `kept_at`: see `KEPT_AT`. */
export const eventsWith = (archives: readonly string[]): string =>
  `(${['events', ...archives.map(quoted)]
    .map((table) => `SELECT ${EVENT_COLUMNS}, ${KEPT_AT} AS kept_at FROM ${table}`)
    .join(' UNION ALL ')})`

/**
 * Brings an archived stream back; of several all do it in the order of their names, so that two who bring back the same wait for each other and not both.
 * `inTransaction`: of a caller that will append, and then holds the store's lock from here on. Throws `ArchiveMissing` and `ArchiveUnsound`.
 */
export const restoreStream = async (db: Query, stream: string, inTransaction = false): Promise<void> => {
  const query = { name: 'restore_stream', text: 'SELECT restore_stream($1, $2) AS missing', values: [stream, inTransaction] }
  const { rows } = await db.query<{ missing: string | null }>(query).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === ARCHIVE_UNSOUND)
      throw new ArchiveUnsound(`${error.message}: put back the newest dump of that table, once`, { cause: error })
    throw error
  })
  const missing = rows[0]?.missing
  if (missing) throw new ArchiveMissing(missing)
}

export interface ListedPartition {
  readonly name: string
  /** What it keeps: positions from `since` to before `upto`, and what was moved there. */
  readonly since: bigint
  readonly upto: bigint
  /** Milliseconds since the epoch. */
  readonly archivedAt?: number
  /** With its indexes. Absent: it is not in this database. */
  readonly size_bytes?: number
}

/** The partitions of the store and its archives, the oldest first. */
export const listPartitions = async (pool: pg.Pool): Promise<readonly ListedPartition[]> => {
  const { rows } = await pool.query<{ name: string; since: bigint; upto: bigint; archived_at: bigint | null; size: bigint | null }>(
    'SELECT name, since, upto, archived_at, pg_total_relation_size(to_regclass(quote_ident(name))) AS size FROM partitions ORDER BY since',
  )
  return rows.map(({ name, since, upto, archived_at, size }) => ({
    name,
    since,
    upto,
    ...(archived_at === null ? {} : { archivedAt: Number(archived_at) }),
    ...(size === null ? {} : { size_bytes: Number(size) }),
  }))
}
