import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations } from '#event-store'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { AFTER } from './pg-outbox.js'
import { allPage, categoryPage, STREAM_PAGE } from './reader.js'
import { eventsByStream } from './snapshot-read.js'
import { otherThanKnown } from './verify-all.js'

describe('the statements of a store that has grown', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase(eventStoreMigrations)
    pool = createPool({ ...database, statementTimeout_ms: 60_000 })
    await pool.query(`INSERT INTO streams SELECT 'a-' || n, 'a', 20, '', 0 FROM generate_series(1, 2000) n`)
    await pool.query(
      `INSERT INTO events SELECT n, 'a-' || (n % 2000 + 1), n / 2000 + 1, 'T', 1, '{}', '{}', '', n FROM generate_series(0, 39999) n`,
    )
    await pool.query(`INSERT INTO outbox SELECT n, 0, 't', 'k', 'T', 1, NULL, '{}', '{}', 0 FROM generate_series(1, 20000) n`)
    await pool.query('ANALYZE')
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it.each([
    ['a page of a stream', STREAM_PAGE],
    ['a page of all', allPage([])],
    ['a page of a category', categoryPage([])],
    ["the relay's next page", AFTER],
    ['every event by stream', eventsByStream([])],
    ["a checkpoint's heads", otherThanKnown([])],
  ])('%s is found by an index and not by reading everything', async (_, statement) => {
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN (GENERIC_PLAN) ${statement}`)
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan).toMatch(/Index/)
    expect(plan).not.toMatch(/Seq Scan on (events|outbox)/)
  })
})
