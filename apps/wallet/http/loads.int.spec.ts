import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CreditLoad, FailLoad, LoadRequested, RedirectLoad, WALLET_EVENTS } from '#contracts'
import { masterKeysOf, pgSubjectKeys, sealedText, SUBJECT_KEYS_SCHEMA } from '#event-store'
import { systemClock, type IncomingMessage, type OutgoingMessage } from '#kernel'
import { decodeMessage, encodeMessage, type LogConsumer, type LogProducer } from '#messaging'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import type pg from 'pg'
import { inr, startTestWallet, type TestWallet } from '../testing/test-app.js'

let test: TestWallet
let producer: LogProducer
let consumer: LogConsumer
let keys: pg.Pool
const requested: IncomingMessage[] = []
let position = 0n

beforeAll(async () => {
  test = await startTestWallet()
  keys = createPool({ url: test.databaseUrl, schema: SUBJECT_KEYS_SCHEMA, applicationName: 'test', maxConnections: 1 })
  producer = await test.driver.producer()
  consumer = await test.driver.consume({
    group: 'test',
    topics: [WALLET_EVENTS],
    maxBatch: 100,
    startOffset: () => Promise.resolve(0n),
    onBatch: (_, records) => {
      requested.push(...records.map(decodeMessage).filter(({ type }) => type === LoadRequested.type))
      return Promise.resolve()
    },
  })
})
afterAll(async () => {
  await consumer?.close()
  await producer?.close()
  await keys?.end()
  await test?.close()
})

const upi = { method: 'upi', vpa: 'asha.rao@okbank' }
const load = (walletId: string, owner: string, rupees: number, more: object = {}) =>
  test.call('POST', `/v1/wallets/${walletId}/loads`, { as: [owner, 'customer'], body: { amount: inr(rupees), payment: upi }, ...more })
const read = (walletId: string, loadId: unknown, owner: string) =>
  test.call('GET', `/v1/wallets/${walletId}/loads/${String(loadId)}`, { as: [owner, 'customer'] })
const send = (message: OutgoingMessage) =>
  producer.send([encodeMessage(message, 'payment-saga', Date.now(), { incarnation: 'saga-store', position: ++position, ordinal: 0 })])
const context = { correlationId: 'l-1', causationId: 'saga' }
const balance = async (walletId: string) => (await test.call('GET', `/v1/wallets/${walletId}`)).at('balance.amount')

describe('a wallet load', () => {
  it('is taken in hand with 202, told to whoever takes payments with its instrument sealed, and credited when that says so', async () => {
    const walletId = await test.wallet('loads-1', 0, 'small')
    const answer = await load(walletId, 'loads-1', 500, { key: 'load-1' })
    expect([answer.status, answer.at('status'), answer.at('amount.amount')]).toEqual([202, 'PENDING', '50000'])
    const loadId = String(answer.at('loadId'))
    expect(answer.headers['location']).toBe(`/v1/wallets/${walletId}/loads/${loadId}`)
    expect(answer.text).not.toContain('asha.rao@okbank')
    const again = await load(walletId, 'loads-1', 500, { key: 'load-1' })
    expect([again.status, again.text, again.headers['idempotency-replayed']]).toEqual([202, answer.text, 'true'])

    await eventually('the request', () => requested.some(({ data }) => data['loadId'] === loadId))
    const [message, ...others] = requested.filter(({ data }) => data['loadId'] === loadId)
    expect(others).toEqual([])
    expect(message?.data).toMatchObject({ walletId, customerId: 'loads-1', amount: '50000', method: 'upi', flow: 'collect', version: 2 })
    const sealed = sealedText(message?.data['instrument'])
    const opened = sealed && (await pgSubjectKeys(keys, masterKeysOf(test.config.MASTER_KEY), systemClock).openAll([sealed]))
    expect(opened).toEqual(['asha.rao@okbank'])

    const next = { kind: 'redirect' as const, url: 'https://bank.example/1' }
    await send(RedirectLoad.message(walletId, { replyTo: 's-1', walletId, loadId, next }, context, 's-1:redirect'))
    await eventually('the link', async () => (await read(walletId, loadId, 'loads-1')).at('next.url') === next.url)
    expect(await balance(walletId)).toBe('0')
    await send(CreditLoad.message(walletId, { replyTo: 's-1', walletId, loadId }, context, 's-1:credit'))
    await eventually('the credit', async () => (await read(walletId, loadId, 'loads-1')).at('status') === 'COMPLETED')
    expect([await balance(walletId), (await read(walletId, loadId, 'loads-1')).at('next')]).toEqual(['50000', undefined])
    const statement = await test.call('GET', `/v1/wallets/${walletId}/statement`)
    expect(statement.at('items.0')).toMatchObject({ entryId: loadId, type: 'load', amount: { amount: '50000' }, reference: loadId })
    expect((await test.call('GET', `/v1/wallets/${walletId}/verify`)).at('ok')).toBe(true)
  })

  it('is refused by the limits before anything is paid, and keeps its room until it failed', async () => {
    const walletId = await test.wallet('loads-2', 0, 'small')
    expect(await load(walletId, 'loads-2', 10_001)).toMatchObject({ status: 422 })
    const taken = await load(walletId, 'loads-2', 6_000)
    const refused = await load(walletId, 'loads-2', 4_001)
    expect([refused.status, refused.at('type')]).toEqual([422, '/problems/kyc-limit-exceeded'])
    const loadId = String(taken.at('loadId'))
    await send(FailLoad.message(walletId, { replyTo: 's-2', walletId, loadId, reason: 'payment-declined' }, context, 's-2:fail'))
    await eventually('its end', async () => (await read(walletId, loadId, 'loads-2')).at('status') === 'FAILED')
    expect((await read(walletId, loadId, 'loads-2')).at('reason')).toBe('payment-declined')
    expect((await load(walletId, 'loads-2', 4_001)).status).toBe(202)
  })

  it('is its owner’s to ask for and to see, under an idempotency key', async () => {
    const walletId = await test.wallet('loads-3', 0)
    const mine = await load(walletId, 'loads-3', 1)
    expect((await load(walletId, 'somebody', 1)).status).toBe(404)
    expect((await load(walletId, 'loads-3', 1, { as: ['ops', 'admin'] })).status).toBe(403)
    expect((await load(walletId, 'loads-3', 1, { key: null })).status).toBe(400)
    expect((await read(walletId, mine.at('loadId'), 'somebody')).status).toBe(404)
    expect((await read(walletId, '0190a000-0000-7000-8000-00000000dead', 'loads-3')).status).toBe(404)
    const support = await test.call('GET', `/v1/wallets/${walletId}/loads/${String(mine.at('loadId'))}`, { as: ['s', 'support'] })
    expect(support.status).toBe(200)
    for (const payment of [{ method: 'wallet', walletId }, { method: 'cod' }, { method: 'upi' }, null]) {
      const wrong = await load(walletId, 'loads-3', 1, { body: { amount: inr(1), payment } })
      expect([payment, wrong.status]).toEqual([payment, 400])
    }
    const payment = { method: 'card', token: '4111111111111111' }
    const named = await load(walletId, 'loads-3', 1, { body: { amount: inr(1), payment } })
    expect([named.status, named.at('errors')]).toEqual([
      400,
      [{ pointer: '/payment/token', detail: "must be the provider's token, never a card number" }],
    ])
    expect(named.text).not.toContain('4111')
  })
})
