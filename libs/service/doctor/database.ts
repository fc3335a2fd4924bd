import { SUBJECT_KEYS_SCHEMA, type MasterKeys } from '#event-store'
import type { Clock } from '#kernel'
import { createPool } from '#postgres'
import type pg from 'pg'
import { pendingMigrations } from '../start-up.js'
import { codeOf, failed, patiently, reasonOf, type Told } from './finding.js'
import type { Patient, PatientConfig } from './patient.js'

/** PostgreSQL 18 is the first with `uuidv7()`, which the stores use. */
const LEAST_POSTGRES = 18
/** Leases, holds and turnaround times compare a process's clock with the database's. */
const MOST_SKEW_MS = 1_000

export const openPool = (url: string, schema: string): pg.Pool =>
  createPool({ url, schema, applicationName: 'bahi-doctor', maxConnections: 2, statementTimeout_ms: 10_000, connectTimeout_ms: 5_000 })

/** Whether the database can be worked with: nothing else of it is looked at where this fails. */
export const connection = async (pool: pg.Pool, url: string, variable: string): Promise<Told> => {
  try {
    const { rows } = await patiently(pool.query<{ version: string }>(`SELECT current_setting('server_version') AS version`))
    const version = rows[0]?.version ?? ''
    return Number.parseInt(version, 10) < LEAST_POSTGRES
      ? failed('postgresql', `${placeOf(url)} is version ${version}`, `upgrade it to PostgreSQL ${LEAST_POSTGRES} or newer`)
      : { check: 'postgresql', status: 'ok', found: `${placeOf(url)} answers, version ${version}` }
  } catch (error) {
    return failed('postgresql', `${placeOf(url)}: ${reasonOf(error)}`, adviceOf(error, variable))
  }
}

const adviceOf = (error: unknown, variable: string): string => {
  switch (codeOf(error)) {
    case '28P01':
    case '28000':
      return `set ${variable} to the role and password that PostgreSQL has, or give the role this password by ALTER ROLE`
    case '3D000':
      return `create the database, or name in ${variable} the one that is there`
    case '42501':
      return `let the role of ${variable} use the schema by GRANT`
    case '53300':
      return 'too many connections: lower DATABASE_CONNECTIONS of the apps, or raise max_connections'
    default:
      return `start PostgreSQL, or mend host and port in ${variable}; between them a firewall or network policy may stand`
  }
}

export const migrated = async (app: string, { migrations }: Patient, { DATABASE_URL, DATABASE_SCHEMA }: PatientConfig): Promise<Told> => {
  const pending = await pendingMigrations({ url: DATABASE_URL, schema: DATABASE_SCHEMA, migrations }, app)
  return pending.length === 0
    ? { check: 'migrations', status: 'ok', found: `all ${migrations.length} ran` }
    : failed(
        'migrations',
        `${pending.length} are to run: ${pending.slice(0, 3).join(', ')}${pending.length > 3 ? ', …' : ''}`,
        migrateBy(app),
      )
}

const migrateBy = (app: string): string =>
  `the app's command \`migrate\`: npm run migrate -- --app ${app}, or in its image node main.mjs migrate (with \`npm start\`: start it again)`

/** What was acknowledged is to be there after a crash. A test's server may do without. */
export const durable = async (pool: pg.Pool, { NODE_ENV }: PatientConfig): Promise<Told> => {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name`,
  )
  if (rows.length === 0) return { check: 'durability', status: 'ok', found: 'what is acknowledged survives a crash' }
  const told = failed(
    'durability',
    `PostgreSQL loses what it acknowledged when it crashes: ${rows.map(({ name }) => `${name} is off`).join(', ')}`,
    'set them to on, and restart it',
  )
  return NODE_ENV === 'test' ? { ...told, status: 'warning' } : told
}

/** The time of the answer lies between those of asking and hearing it. */
export const clockAgrees = async (pool: pg.Pool, clock: Clock): Promise<Told> => {
  const asked = clock.now()
  const { rows } = await pool.query<{ now: number }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now')
  const heard = clock.now()
  const skew = (rows[0]?.now ?? Number.NaN) - (asked + heard) / 2
  const sure = Math.max(0, Math.abs(skew) - (heard - asked) / 2)
  return sure <= MOST_SKEW_MS
    ? { check: 'clock', status: 'ok', found: `within ${MOST_SKEW_MS / 1_000} s of PostgreSQL's` }
    : failed(
        'clock',
        `this machine's is ${Math.round(sure)} ms ${skew > 0 ? 'behind' : 'ahead of'} PostgreSQL's`,
        'set both by NTP (chrony or systemd-timesyncd), and look which of them is wrong: `date -u`',
      )
}

/** Any of them: a sample. */
const KEYS_LOOKED_AT = 10_000

/** Whether the keys of persons can be read, and were wrapped by master keys that are given. */
export const keysOpen = async (url: string, masterKeys: MasterKeys): Promise<Told> => {
  const pool = openPool(url, SUBJECT_KEYS_SCHEMA)
  try {
    const { rows } = await patiently(
      pool.query<{ closed: bigint }>(
        `SELECT count(*) AS closed FROM (SELECT master_key_id FROM subject_keys LIMIT ${KEYS_LOOKED_AT}) k WHERE master_key_id <> ALL ($1)`,
        [masterKeys.map(({ id }) => id)],
      ),
    )
    const closed = rows[0]?.closed ?? 0n
    if (closed > 0n)
      return failed(
        'keys',
        `${closed} of the keys of persons were wrapped by a master key that is not given here`,
        'add it to MASTER_KEYS_BEFORE; `npx bahi persons rewrap` makes it needless',
      )
    return { check: 'keys', status: 'ok', found: `the keys of persons can be read and opened at ${placeOf(url)}` }
  } catch (error) {
    const next = codeOf(error) === '42P01' ? migrateBy('order-command') : adviceOf(error, 'KEYS_DATABASE_URL')
    return failed('keys', `${placeOf(url)}: ${reasonOf(error)}`, next)
  } finally {
    await pool.end()
  }
}

/** The event store is the outbox: what nobody relays, nobody hears. */
export const relayed = async (pool: pg.Pool): Promise<Told> => {
  const { rows } = await pool.query<{ behind: bigint; held: boolean; held_at: bigint | null }>(
    'SELECT s.position - r.position AS behind, r.lease_until > clock_timestamp() AS held, r.held_at FROM store s, relay r',
  )
  const { behind = 0n, held = false, held_at: heldAt = null } = rows[0] ?? {}
  if (heldAt !== null)
    return failed('relay', `held at ${heldAt} by a move to another log`, 'end it: `npx bahi migrate-log` again, or with --abort')
  if (behind > 0n && !held)
    return failed('relay', `${behind} positions wait, and no living process relays them`, 'start the app; see docs/runbooks/RelayStands.md')
  return { check: 'relay', status: 'ok', found: behind === 0n ? 'everything is sent' : `${behind} positions are under way` }
}

export const hold = async (pool: pg.Pool, { invariants }: Patient): Promise<readonly Told[]> => {
  const told: Told[] = []
  for (const { name, holds, violations } of invariants) {
    try {
      const broken = await patiently(violations(pool))
      told.push(
        broken.length === 0
          ? { check: 'invariants', status: 'ok', found: `${name}: ${holds}` }
          : failed(
              'invariants',
              `${name} is broken: ${broken.slice(0, 3).join(', ')}${broken.length > 3 ? ` and ${broken.length - 3} more` : ''}`,
              'repair nothing by hand: see docs/runbooks/InvariantBroken.md',
            ),
      )
    } catch (error) {
      told.push({ check: 'invariants', status: 'warning', found: `${name} was not told: ${reasonOf(error)}`, next: 'ask again' })
    }
  }
  return told
}

/** Without the user and the password. */
const placeOf = (url: string): string => {
  const { hostname, port, pathname } = new URL(url)
  return `${hostname}:${port || 5432}${pathname}`
}
