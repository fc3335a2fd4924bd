import { afterAll, beforeAll } from '@jest/globals'
import { asPg, createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { logMigrations, messagingMigrations, pgConsumerStore, postgresLog } from '#messaging'
import { runtimeConformance } from '#messaging/testing'

// One log for all of it, as topics have names of their own; a consumer's database for each.
let log: TestDatabase
beforeAll(async () => {
  log = await createTestDatabase(logMigrations, 'log')
})
afterAll(() => log.drop())

const REMOVE = `
  WITH topics AS (SELECT id FROM topic WHERE name = $1), partitions AS (SELECT id FROM partition WHERE topic_id IN (SELECT id FROM topics)),
    records AS (DELETE FROM record WHERE partition_id IN (SELECT id FROM partitions))
  UPDATE partition SET first = 0, next = 0 WHERE id IN (SELECT id FROM partitions)`

runtimeConformance('PostgreSQL', async () => {
  const database = await createTestDatabase(messagingMigrations)
  const pool = createPool(database)
  await pool.query('CREATE TABLE line (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL)')
  const logPool = createPool(log)
  return {
    driver: () => postgresLog({ url: log.url, shared: false, leaseTtl_ms: 1_500, maxConnections: 2, poll_ms: 500 }),
    transactions: pgTransactions(pool),
    consumerStore: pgConsumerStore(pool),
    write: async (tx, line) => void (await asPg(tx).query('INSERT INTO line (text) VALUES ($1)', [line])),
    written: async () => (await pool.query<{ text: string }>('SELECT text FROM line ORDER BY id')).rows.map(({ text }) => text),
    remove: async (topic) => void (await logPool.query(REMOVE, [topic])),
    stop: async () => {
      await Promise.all([pool.end(), logPool.end()])
      await database.drop()
    },
  }
})
