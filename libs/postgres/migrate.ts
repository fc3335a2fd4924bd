import type { MigrationInterface } from 'typeorm'
import { checkedIdentifier } from './pool.js'
import { checkedConnection } from './tls.js'

/** A migration as a TypeORM class. Its name ends in a 13-digit timestamp, which orders it. */
export type Migration = new () => MigrationInterface

export interface MigrateOptions {
  readonly url: string
  readonly schema: string
  readonly migrations: readonly Migration[]
}

/** Any number, fixed: whoever migrates a database takes this lock first, so that two at once do it once. */
const MIGRATION_LOCK = 724_211_001

/** Creates the schema where it is missing and runs what has not run, each in its own transaction. Answers the names of those that ran. */
export const migrate = async ({ url, schema, migrations }: MigrateOptions): Promise<readonly string[]> => {
  const { connectionString, ssl } = checkedConnection(url)
  // Only who migrates pays for loading TypeORM.
  const { DataSource } = await import('typeorm')
  const source = new DataSource({
    type: 'postgres',
    url: connectionString,
    ssl,
    schema: checkedIdentifier(schema),
    migrations: [...migrations],
    migrationsTableName: 'migrations',
    poolSize: 2,
    extra: { options: `-c search_path=${schema}` },
  })
  await source.initialize()
  const lock = source.createQueryRunner()
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    // Looked up first: a role that owns its schema need not be allowed to create others.
    const [found] = (await lock.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])) as unknown[]
    if (!found) await lock.query(`CREATE SCHEMA ${schema}`)
    const ran = await source.runMigrations({ transaction: 'each' })
    return ran.map(({ name }) => name)
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined)
    await lock.release()
    await source.destroy()
  }
}
