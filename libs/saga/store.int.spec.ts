import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { pgSagaStore, sagaMigrations } from '#saga'
import { CLAIM, COUNTS, DUE_IN } from './postgres/store.js'
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

  const planOf = async (text: string, values: unknown[] = []) => {
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN (ANALYZE, BUFFERS) ${text}`, values)
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  }

  it('counts what has not ended among very many that have in a few pages, by the index', async () => {
    const filling = await pool.connect()
    await filling.query('SET statement_timeout = 0')
    await filling.query(`
      INSERT INTO saga_instances (id, type, definition, correlation_key, status, version, started_at, updated_at)
      SELECT uuidv7(), 'order-payment', 1, n, CASE WHEN n % 2000 = 0 THEN 'RUNNING' ELSE 'COMPLETED' END, 1, now(), now()
      FROM generate_series(1, 100000) n`)
    await filling.query('ANALYZE saga_instances')
    filling.release(true)
    const plan = await planOf(COUNTS)
    expect(plan).toMatch(/Index Scan (using|on) saga_instances_open/)
    expect(plan).not.toContain('Seq Scan')
    // Of the table's thousand pages and more, some for each of the fifty rows that are counted.
    const pages = Math.max(...[...plan.matchAll(/shared hit=(\d+)/g)].map(([, hit]) => Number(hit)))
    expect(pages).toBeLessThan(500)
  })

  it('claims what is due among very many that are not in a few pages, by the index, and finds when the next is due likewise', async () => {
    const later = `now() + interval '1 day' + n * interval '1 second'`
    const filling = await pool.connect()
    await filling.query('SET statement_timeout = 0')
    await filling.query(`
      INSERT INTO saga_tasks (saga_id, name, due_at, correlation_id)
      SELECT uuidv7(), 'timer', CASE WHEN n <= 50 THEN now() ELSE ${later} END, 'c' FROM generate_series(1, 100000) n`)
    await filling.query('ANALYZE saga_tasks')
    filling.release(true)
    for (const plan of [await planOf(DUE_IN), await planOf(CLAIM, [100, 10_000, null])]) {
      expect(plan).toMatch(/Index (Only )?Scan using saga_tasks_due/)
      expect(plan).not.toContain('Seq Scan')
      // Of the table's thousand pages and more, a handful for each row that is taken.
      const pages = Math.max(...[...plan.matchAll(/shared hit=(\d+)/g)].map(([, hit]) => Number(hit)))
      expect(pages).toBeLessThan(1_000)
      expect(pages).toBeGreaterThan(0)
    }
    expect((await pool.query('SELECT FROM saga_tasks WHERE epoch > 0')).rowCount).toBe(50)
  })
})
