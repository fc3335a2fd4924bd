import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { masterKeysOf, sealerFor } from '#event-store'
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

const sealerOf = (...secrets: [string, ...string[]]) => sealerFor('webhooks', masterKeysOf(...secrets))
const FIRST = 'A'.repeat(43)
const SECOND = 'B'.repeat(43)

webhookStoreConformance('PostgreSQL', async () => {
  await pool.query('TRUNCATE provider_webhooks')
  return { store: pgWebhookStore(pool, sealerOf(FIRST)), transactions: pgTransactions(pool) }
})

describe('what is personal in a webhook', () => {
  const PERSONAL = ['asha@okbank', '+919876543210', 'asha.rao@example.in', '4242']
  const [vpa, contact, email, last4] = PERSONAL
  const body = JSON.stringify({ entity: 'event', payload: { payment: { entity: { vpa, contact, email, card: { last4 } } } } })
  const webhook = { provider: 'razorpay', eventId: 'e-1', body }
  /** All that the table holds: as text, and what is sealed byte for byte, in whose digits four of them are found by chance. */
  const table = async () => {
    const { rows } = await pool.query<{ row: string }>(
      `SELECT jsonb_set(to_jsonb(w), '{sealed}', to_jsonb(sealed IS NOT NULL))::text || coalesce(encode(sealed, 'escape'), '') AS row
       FROM provider_webhooks w`,
    )
    return rows.map(({ row }) => row).join('\n')
  }
  const personalIn = (text: string) =>
    PERSONAL.filter(
      (each) =>
        text.includes(each) || text.includes(Buffer.from(each).toString('hex')) || text.includes(Buffer.from(each).toString('base64')),
    )

  it('is sealed while it waits, opens as it was signed, and is gone once it was worked on', async () => {
    await pool.query('TRUNCATE provider_webhooks')
    const store = pgWebhookStore(pool, sealerOf(FIRST))
    expect(personalIn(body)).toEqual(PERSONAL)
    await store.keep(webhook, 1_000, 3)
    expect(await table()).toContain('e-1')
    expect(personalIn(await table())).toEqual([])
    expect(await store.pending(10, 3, 1_000)).toEqual([{ ...webhook, attempts: 0 }])
    await pgTransactions(pool).run((tx) => store.done([webhook], 2_000, tx))
    expect(await table()).toContain('"sealed": false')
    expect(await store.keep(webhook, 3_000, 3)).toBe(false)
  })

  it('opens under an older master key, under no other, and as no other event', async () => {
    await pool.query('TRUNCATE provider_webhooks')
    await pgWebhookStore(pool, sealerOf(FIRST)).keep(webhook, 1_000, 3)
    const opened = async (...secrets: [string, ...string[]]) =>
      (await pgWebhookStore(pool, sealerOf(...secrets)).pending(10, 3, 1_000)).map(({ body: each }) => each)
    expect([await opened(SECOND, FIRST), await opened(SECOND)]).toEqual([[body], [undefined]])
    await pool.query(`UPDATE provider_webhooks SET event_id = 'e-2'`)
    expect(await opened(FIRST)).toEqual([undefined])
  })
})
