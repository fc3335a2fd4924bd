import { systemRandom, type Clock } from '#kernel'
import type pg from 'pg'
import { quoted } from './archives.js'

/** Nothing more can be archived now; the message says why. What was done stays done, and a later run goes on from there. */
export class ArchiveRefused extends Error {}

/**
 * Who wants a lock that the archiver waits for queues behind it, and may hold the store's lock: so it waits briefly, lets all pass and asks again. Below
 * `deadlock_timeout`, so that whoever waits in a circle with it is not ended for its sake.
 */
const LOCK_TIMEOUT_MS = 100
const LOCK_ATTEMPTS = 40
const LOCK_PAUSE_MS = 3_000

const LOCK_NOT_AVAILABLE = '55P03'

export interface Waiting {
  readonly client: pg.PoolClient
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly signal?: AbortSignal | undefined
}

/** Does what needs locks, some two minutes long. False: it was stopped. Throws `ArchiveRefused` where they were not to be had. */
export const patiently = async ({ client, clock, signal }: Waiting, what: string, work: () => Promise<unknown>): Promise<boolean> => {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`)
  for (let attempt = 1; !signal?.aborted; attempt++) {
    try {
      await work()
      await client.query('SET lock_timeout = 0')
      return true
    } catch (error) {
      if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error
      if (attempt === LOCK_ATTEMPTS) throw new ArchiveRefused(`${what} waits for transactions that are open${await oldest(client)}`)
    }
    await clock.sleep(LOCK_PAUSE_MS * (0.5 + systemRandom.next()), signal).catch(() => undefined)
  }
  return false
}

/** Names no statement: there may be data in it. */
const oldest = async (client: pg.PoolClient): Promise<string> => {
  const { rows } = await client.query<{ pid: number; application_name: string; xact_start: Date }>(
    `SELECT pid, application_name, xact_start FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1`,
  )
  const [first] = rows
  return first ? `: the oldest is of ${first.application_name} (pid ${first.pid}), since ${first.xact_start.toISOString()}` : ''
}

/** Makes a partition of which only archived streams are left a table of its own; an empty one is dropped. False: it was stopped before the end. */
export const detach = async (waiting: Waiting, name: string): Promise<boolean> => {
  const { client, clock } = waiting
  const { rows } = await client.query<{ living: boolean; archived: boolean }>(
    `SELECT EXISTS (SELECT FROM ${quoted(name)}) AS archived,
      EXISTS (SELECT FROM ${quoted(name)} e LEFT JOIN streams s ON s.stream_id = e.stream_id WHERE s.archive IS DISTINCT FROM $1) AS living`,
    [name],
  )
  if (rows[0]?.living) throw new Error(`${name} still holds events of streams that are not archived in it`)
  const archived = rows[0]?.archived === true
  // Listed before it is detached, so that a reader who misses it among the partitions finds it among the archives.
  if (archived) await client.query('UPDATE partitions SET archived_at = $2 WHERE name = $1', [name, clock.now()])
  const detached = await patiently(waiting, `${name} is read as before, and to detach it`, async () => {
    const attached = await client.query<{ pending: boolean }>(
      'SELECT inhdetachpending AS pending FROM pg_inherits WHERE inhrelid = $1::regclass',
      [quoted(name)],
    )
    // What the first attempt began the others end: it waits for statements that began before it.
    const how = attached.rows[0]?.pending ? 'FINALIZE' : 'CONCURRENTLY'
    if (attached.rows[0]) await client.query(`ALTER TABLE events DETACH PARTITION ${quoted(name)} ${how}`)
  })
  if (!detached || archived) return detached
  return patiently(waiting, `${name} is empty, and to drop it`, () =>
    // One statement, one transaction.
    client.query(`DROP TABLE ${quoted(name)}; DELETE FROM partitions WHERE name = '${name.replaceAll("'", "''")}'`),
  )
}
