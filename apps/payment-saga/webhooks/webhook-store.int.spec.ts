import { afterAll, beforeAll } from '@jest/globals'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { webhookStoreConformance } from '../testing/webhook-store.conformance.js'
import { pgWebhookStore, webhookMigrations } from './pg-webhook-store.js'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase(webhookMigrations)
  pool = createPool(database)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

webhookStoreConformance('PostgreSQL', async () => {
  await pool.query('TRUNCATE provider_webhooks')
  return { store: pgWebhookStore(pool), transactions: pgTransactions(pool) }
})
