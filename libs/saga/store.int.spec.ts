import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { pgSagaStore, sagaMigrations } from '#saga'
import { sagaStoreConformance } from '#saga/testing'
import type pg from 'pg'

sagaStoreConformance('PostgreSQL', async () => {
  const database = await createTestDatabase(sagaMigrations)
  const pool = createPool(database)
  return {
    store: pgSagaStore(pool, database),
    transactions: pgTransactions(pool),
    close: async () => {
      await pool.end()
      await database.drop()
    },
  }
})

describe('saga tasks on PostgreSQL', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase(sagaMigrations)
    pool = createPool(database)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it('finds what is due by index among very many that are not', async () => {
    await pool.query(`
      INSERT INTO saga_tasks (saga_id, name, due_at, correlation_id)
      SELECT gen_random_uuid(), 'timer', now() + interval '1 day' + n * interval '1 second', 'c' FROM generate_series(1, 50000) n`)
    await pool.query('ANALYZE saga_tasks')
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT saga_id, name FROM saga_tasks WHERE due_at <= now() ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED`,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan).toContain('Index Scan using saga_tasks_due')
    expect(plan).not.toContain('Seq Scan')
  })
})
