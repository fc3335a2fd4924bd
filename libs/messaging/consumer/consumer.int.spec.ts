import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { asPg, createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { Consumer, encodeMessage, logMigrations, messagingMigrations, noEffect, pgConsumerStore, postgresLog } from '#messaging'
import { MemoryBroker, memoryLog, runtimeConformance } from '#messaging/testing'

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

describe("keys that others' producers write", () => {
  it('are parked where PostgreSQL can hold them in no text, or in no index; what comes after goes on', async () => {
    const database = await createTestDatabase(messagingMigrations)
    const pool = createPool(database)
    const driver = memoryLog(new MemoryBroker())
    const seen: string[] = []
    const consumer = new Consumer(
      {
        driver,
        group: 'readers',
        transactions: pgTransactions(pool),
        consumerStore: pgConsumerStore(pool),
        firstRetry_ms: 1,
        maxAttempts: 2,
      },
      new Map([['said', (messages) => (seen.push(...messages.map(({ key }) => key)), Promise.resolve(noEffect))]]),
    )
    try {
      await driver.ensureTopics([{ name: 'said', partitions: 1, retention_ms: 60_000 }])
      await consumer.start()
      const context = { correlationId: 'c', causationId: 'c' }
      const said = { topic: 'said', key: 'good', type: 'Said', schemaVersion: 1, data: {}, context }
      const good = encodeMessage(said, 'speaker', 0, { incarnation: '', position: 0n, ordinal: 0 })
      const chinese = (count: number) => String.fromCodePoint(...Array.from({ length: count }, (_, n) => 0x4e00 + ((n * 7_919) % 20_000)))
      // As Confluent's wire format begins, and longer than an index's row may be.
      const keys = ['\0\0\0\u0007k', chinese(3_000), chinese(1_000)]
      await (await driver.producer()).send([...keys.map((key) => ({ ...good, key })), good])
      const parked = async () =>
        (await pool.query<{ failure: string }>('SELECT failure FROM dead_letter ORDER BY "offset"')).rows.map(
          ({ failure }) => (JSON.parse(failure) as { errorClass: string }).errorClass,
        )
      await eventually('they are parked', async () => (await parked()).length === keys.length)
      expect(new Set(await parked())).toEqual(new Set(['Undecodable']))
      // Put back, they are what they were.
      const { rows } = await pool.query<{ id: string }>('SELECT id FROM dead_letter')
      for (const { id } of rows) expect(await consumer.redrive(id, 'asha')).toBe(true)
      const again = async () => (await pool.query('SELECT FROM dead_letter WHERE state = $1 AND revision >= 2', ['parked'])).rowCount
      await eventually('they are parked again', async () => (await again()) === keys.length)
      expect(seen).toEqual(['good'])
    } finally {
      await consumer.close()
      await driver.close()
      await pool.end()
      await database.drop()
    }
  })
})

describe('dead letters that recovered', () => {
  it('are removed once they are old and the log was told; others are kept', async () => {
    const database = await createTestDatabase(messagingMigrations)
    const pool = createPool({ ...database, maxConnections: 1 })
    try {
      await pool.query(`INSERT INTO dead_letter (id, "group", topic, partition, "offset", key, headers, value, recorded_at_ms, attempts, failure,
          parked_at_ms, state, changed_at_ms, published)
        SELECT id, who, 'said', 0, 0, 'k', '{}', '', 0, 8, '{}', 0, state, changed, told FROM (VALUES
          ('old', 'readers', 'recovered', 99, true), ('older', 'readers', 'recovered', 1, true), ('young', 'readers', 'recovered', 100, true),
          ('untold', 'readers', 'recovered', 1, false), ('parked', 'readers', 'parked', 1, true), ('redriven', 'readers', 'redriven', 1, true),
          ('of others', 'writers', 'recovered', 1, true)
        ) AS letter (id, who, state, changed, told)`)
      const store = pgConsumerStore(pool)
      expect(await store.forgetRecovered('readers', 100, 1)).toBe(1)
      expect(await store.forgetRecovered('readers', 100, 10)).toBe(1)
      const { rows } = await pool.query<{ id: string }>('SELECT id FROM dead_letter ORDER BY id')
      expect(rows.map(({ id }) => id)).toEqual(['of others', 'parked', 'redriven', 'untold', 'young'])
    } finally {
      await pool.end()
      await database.drop()
    }
  })
})

describe('very much that waits behind few keys', () => {
  it('is not read to find what is due', async () => {
    const database = await createTestDatabase(messagingMigrations)
    const pool = createPool({ ...database, maxConnections: 1 })
    try {
      await pool.query(`INSERT INTO deferred ("group", topic, partition, "offset", key, headers, value, recorded_at_ms, attempts, due_ms)
        SELECT 'readers', 'said', n % 2, n, 'k' || n % 6, '{}', repeat('x', 100)::bytea, 0, 0, n FROM generate_series(1, 30000) n`)
      await pool.query('VACUUM ANALYZE deferred')
      const store = pgConsumerStore(pool)
      const partitions = [0, 1].map((partition) => ({ topic: 'said', partition }))
      const read = async () => {
        await pool.query('SELECT pg_stat_force_next_flush()')
        const { rows } = await pool.query<{ read: string }>(
          `SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'deferred') +
            (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'deferred') AS read`,
        )
        return Number(rows[0]?.read)
      }
      const before = await read()
      // Two partitions of three keys each.
      expect((await store.due('readers', partitions, 4, 64)).map(({ record }) => record.offset)).toEqual([1n, 2n, 3n, 4n])
      expect(await store.nextDue('readers', partitions)).toBe(1)
      expect((await store.due('readers', partitions, 30_000, 64)).map(({ record }) => record.offset)).toEqual([1n, 2n, 3n, 4n, 5n, 6n])
      expect((await read()) - before).toBeLessThan(1_000)
    } finally {
      await pool.end()
      await database.drop()
    }
  })
})
