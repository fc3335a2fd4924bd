import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { logMigrations, messagingMigrations, pgConsumerStore, postgresLog } from '#messaging'
import { createPool, migrate } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { acceptAppLog } from './start-up.js'

let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createTestDatabase(messagingMigrations, 'shop')
  await migrate({ url: database.url, schema: 'log', migrations: logMigrations })
  pool = createPool(database)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

describe('accept-log', () => {
  it("moves the app's places that the log does not have, says which, and leaves the others", async () => {
    const log = postgresLog({ url: database.url, shared: false })
    await log.ensureTopics([{ name: 'parcels', partitions: 2, retention_ms: 60_000 }])
    await log.close()
    const consumers = pgConsumerStore(pool)
    await consumers.progress('shop', { topic: 'parcels', partition: 0 }, 7n)
    await consumers.progress('shop', { topic: 'parcels', partition: 1 }, 0n)
    await consumers.progress('another', { topic: 'parcels', partition: 0 }, 7n)
    const places = {
      name: 'shop',
      migrations: [],
      DATABASE_URL: database.url,
      DATABASE_SCHEMA: 'shop',
      START_TIMEOUT_SECONDS: 1,
      log: { LOG: 'postgres' as const },
    }
    expect(await acceptAppLog(places, false)).toEqual(['parcels/0: from 7 back to 0'])
    expect(await acceptAppLog(places, true)).toEqual([])
    expect(await consumers.places('another')).toEqual([{ topic: 'parcels', partition: 0, next: 7n }])
  })
})
