import { createHmac } from 'node:crypto'
import pg from 'pg'
import { releaseRelay, SUBJECT_KEYS_SCHEMA, subjectKeyGrants, subjectKeyMigrations } from '#event-store'
import { forgetLogMembers, logGrants, logMigrations } from '#messaging'
import { checkedConnection, checkedIdentifier, migrate, type Migration } from '#postgres'

/** One database, a schema and a role per app, one schema for the log and one for the keys of persons: an app can reach its own
 * tables, the log and, as far as it needs, the keys, and nothing else. */
export interface AppDatabase {
  readonly schema: string
  readonly migrations: readonly Migration[]
  /** What it may do with the keys of persons. */
  readonly subjectKeys?: 'read' | 'create' | 'write'
}

const DATABASE = 'bahi'
export const LOG_SCHEMA = 'log'

/** `secret` is of the whole platform; each role's password is made from it, so that one app's URL opens no other app's schema. */
export const appUrl = (superuserUrl: string, schema: string, secret: string): string => {
  const url = new URL(superuserUrl)
  url.username = roleOf(schema)
  url.password = passwordOf(schema, secret)
  url.pathname = `/${DATABASE}`
  return url.href
}

/** Makes what is missing, and brings every schema to today's shape. Answers how many migrations ran. */
export const prepareDatabases = async (superuserUrl: string, secret: string, apps: readonly AppDatabase[]): Promise<number> => {
  await query(superuserUrl, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE])
    if (!rowCount) await client.query(`CREATE DATABASE ${DATABASE}`)
  })
  const url = new URL(superuserUrl)
  url.pathname = `/${DATABASE}`
  await query(url.href, async (client) => {
    await client.query(`REVOKE ALL ON SCHEMA public FROM PUBLIC`)
    for (const schema of [LOG_SCHEMA, SUBJECT_KEYS_SCHEMA, ...apps.map((app) => app.schema)])
      await ownSchema(client, schema, passwordOf(schema, secret))
  })

  const migrated = async (schema: string, migrations: readonly Migration[]): Promise<number> =>
    (await migrate({ url: appUrl(superuserUrl, schema, secret), schema, migrations })).length
  let ran = (await migrated(LOG_SCHEMA, logMigrations)) + (await migrated(SUBJECT_KEYS_SCHEMA, subjectKeyMigrations))
  await query(url.href, async (client) => {
    for (const { schema, subjectKeys } of apps) {
      const keys = subjectKeys ? subjectKeyGrants(roleOf(schema), subjectKeys) : []
      for (const grant of [...logGrants(roleOf(schema), LOG_SCHEMA), ...keys]) await client.query(grant)
    }
  })
  for (const { schema, migrations } of apps) ran += await migrated(schema, migrations)
  return ran
}

/**
 * Lets go of what the last process of this home held when it was killed, so that this one goes on at once and not when leases run out. The
 * home's lock shows that it is dead.
 */
export const releaseLeases = async (superuserUrl: string, apps: readonly AppDatabase[]): Promise<void> => {
  const url = new URL(superuserUrl)
  url.pathname = `/${DATABASE}`
  await query(url.href, async (client) => {
    await forgetLogMembers(client, LOG_SCHEMA)
    for (const { schema } of apps) {
      const { rows } = await client.query<{ relay: string | null }>('SELECT to_regclass($1) AS relay', [
        `${checkedIdentifier(schema)}.relay`,
      ])
      if (rows[0]?.relay) await releaseRelay(client, schema)
    }
  })
}

const roleOf = (schema: string): string => `bahi_${checkedIdentifier(schema)}`

const passwordOf = (schema: string, secret: string): string => createHmac('sha256', secret).update(schema).digest('base64url')

const ownSchema = async (client: pg.Client, schema: string, password: string): Promise<void> => {
  const role = roleOf(schema)
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role])
  await client.query(`${rowCount ? 'ALTER' : 'CREATE'} ROLE ${role} LOGIN PASSWORD ${client.escapeLiteral(password)}`)
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${checkedIdentifier(schema)} AUTHORIZATION ${role}`)
}

const query = async (url: string, work: (client: pg.Client) => Promise<void>): Promise<void> => {
  const client = new pg.Client({ ...checkedConnection(url), connectionTimeoutMillis: 5_000, statement_timeout: 60_000 })
  // What is lost is told by the statement under way; without a listener it would end the process.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
