import { createServer, type Server, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { paise } from '#kernel'
import { countingIds, eventually, FakeClock, seededRandom } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { Books, type BooksSettings } from './books.js'
import { migrations } from './migrations.js'
import { Settlements } from './settlements.js'
import { Webhooks } from './webhooks.js'

const SETTINGS: BooksSettings = { seed: 1, upiWindow_seconds: 15, duplicateRate: 0, outOfOrderRate: 0, lostWebhookDelay_seconds: 900 }
const MINUTE_MS = 60_000

describe('webhooks of the sandbox', () => {
  const ids = countingIds()
  let database: TestDatabase
  let pool: pg.Pool
  let merchant: Server
  let clock: FakeClock
  let answer: (response: ServerResponse) => void
  let heard: string[]

  beforeAll(async () => {
    database = await createTestDatabase(migrations)
    pool = createPool(database)
    merchant = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        heard.push((JSON.parse(body) as { type: string; idempotencyKey: string }).type)
        answer(response)
      })
    })
    await new Promise<void>((resolve) => merchant.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    merchant.closeAllConnections()
    merchant.close()
    await pool.end()
    await database.drop()
  })
  beforeEach(async () => {
    await pool.query('TRUNCATE webhook, operation, movement, payment')
    clock = new FakeClock(Date.UTC(2026, 10, 1))
    heard = []
    answer = (response) => void response.writeHead(204).end()
  })

  const books = (changes: Partial<BooksSettings> = {}) =>
    new Books(pool, clock, ids, { ...SETTINGS, ...changes }, new Settlements(pool, clock, ids))
  const webhooks = () => {
    const address = merchant.address()
    const port = typeof address === 'object' && address ? address.port : 0
    return new Webhooks(pool, clock, seededRandom(1), { url: `http://127.0.0.1:${port}/`, secret: 'a secret of the sandbox' })
  }
  const pay = (where: Books, instrument: string, key = instrument) =>
    where.open({ idempotencyKey: key, orderId: 'o-1', amount: paise(100), method: 'upi', instrument })

  it('are tried again with a growing pause while the merchant refuses them, and then given up', async () => {
    answer = (response) => void response.writeHead(500).end()
    await pay(books(), 'success@upi')
    const sender = webhooks()
    let minutes = 0
    for (; minutes < 60; minutes++) {
      await sender.deliverDue()
      if (minutes === 0) expect(await sender.deliverDue()).toBe(0)
      clock.advance(MINUTE_MS)
    }
    const tried = heard.length
    expect(tried).toBe(15)
    clock.advance(24 * 60 * MINUTE_MS)
    expect(await sender.deliverDue()).toBe(0)
  })

  it('come once when they were answered', async () => {
    await pay(books(), 'success@upi')
    const sender = webhooks()
    for (let turns = 0; turns < 5; turns++) {
      await sender.deliverDue()
      clock.advance(2 * MINUTE_MS)
    }
    expect(heard).toEqual(['payment.captured'])
  })

  it('come twice, or overtake each other, where the rates say so', async () => {
    await pay(books({ duplicateRate: 1 }), 'success@upi')
    await pay(books({ outOfOrderRate: 1 }), 'decline@upi')
    const sender = webhooks()
    for (let turns = 0; turns < 5; turns++) {
      await sender.deliverDue()
      clock.advance(MINUTE_MS)
    }
    expect(heard.toSorted()).toEqual(['payment.captured', 'payment.captured', 'payment.declined'])
    expect(heard[0]).toBe('payment.captured')
  })

  it('that were under way when the process died are sent by the next one', async () => {
    answer = () => undefined
    await pay(books(), 'success@upi')
    const dying = new AbortController()
    const lost = webhooks().deliverDue(dying.signal)
    await eventually('the first is under way', () => heard.length > 0)
    answer = (response) => void response.writeHead(204).end()
    expect(await webhooks().deliverDue()).toBe(0)
    clock.advance(MINUTE_MS)
    expect(await webhooks().deliverDue()).toBe(1)
    expect(heard).toEqual(['payment.captured', 'payment.captured'])
    dying.abort()
    await lost
    clock.advance(MINUTE_MS)
    expect(await webhooks().deliverDue()).toBe(0)
  })

  it('of a payment whose answer was lost come much later', async () => {
    await pay(books(), 'lost@upi')
    clock.advance(899_000)
    expect(await webhooks().deliverDue()).toBe(0)
    clock.advance(1_000)
    expect(await webhooks().deliverDue()).toBe(1)
  })

  it('tell of what is paid later when it is due, and not before', async () => {
    const where = books()
    await pay(where, 'late@upi')
    clock.advance(15_000)
    expect(await where.settleDue(10)).toBe(0)
    clock.advance(5_000)
    expect(await where.settleDue(10)).toBe(1)
    expect(await where.settleDue(10)).toBe(0)
    await webhooks().deliverDue()
    expect(heard).toEqual(['payment.captured'])
  })
})
