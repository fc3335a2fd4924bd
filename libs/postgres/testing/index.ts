import pg from 'pg'
import type { PostgresConfig } from '../pool.js'
import { migrate, type Migration } from '../migrate.js'

export * from './cuttable.js'

let count = 0

export interface TestDatabase extends PostgresConfig {
  drop(): Promise<void>
}

/** Where the test run's PostgreSQL is: started once per run by `test/support/postgres.setup.mjs`. */
export const testServerUrl = (): string => {
  const url = process.env['BAHI_TEST_POSTGRES_URL']
  if (!url) throw new Error('no test PostgreSQL: run the suite through `npm test` or scripts/jest.mjs, which start one')
  return url
}

/** A new, empty database with the migrations run in `schema`; drop it in `afterAll`. */
export const createTestDatabase = async (migrations: readonly Migration[], schema = 'app'): Promise<TestDatabase> => {
  const name = `test_${process.pid}_${++count}_${Date.now().toString(36)}`
  await admin((client) => client.query(`CREATE DATABASE ${name}`))
  const url = new URL(testServerUrl())
  url.pathname = `/${name}`
  await migrate({ url: url.href, schema, migrations })
  return {
    url: url.href,
    schema,
    applicationName: 'test',
    maxConnections: 8,
    // What is tested is not how fast a busy machine is.
    connectTimeout_ms: 30_000,
    statementTimeout_ms: 30_000,
    drop: () => admin((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  }
}

const admin = async (work: (client: pg.Client) => Promise<unknown>): Promise<void> => {
  const client = new pg.Client({ connectionString: testServerUrl() })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
