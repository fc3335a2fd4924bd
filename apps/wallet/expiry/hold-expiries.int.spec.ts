import { afterAll, beforeAll } from '@jest/globals'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { holdExpiryMigrations, pgHoldExpiries } from './pg-hold-expiries.js'
import { holdExpiriesConformance } from './testing/hold-expiries.conformance.js'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase(holdExpiryMigrations)
  pool = createPool(database)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

holdExpiriesConformance('PostgreSQL', async () => {
  await pool.query('TRUNCATE hold_expiry')
  return { expiries: pgHoldExpiries(pool), transactions: pgTransactions(pool) }
})
