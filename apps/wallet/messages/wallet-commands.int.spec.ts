import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { IncomingMessage, OutgoingMessage } from '#kernel'
import { CaptureHold, HoldFunds, RefundToWallet, ReleaseHold, REPLIES, WALLET_EVENTS } from '#contracts'
import { decodeMessage, encodeMessage, type LogConsumer, type LogProducer } from '#messaging'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import { balanceOf, book, NO_BOOKS, type Books, type WalletEvent } from '#wallet'
import { inr, startTestWallet, type TestWallet } from '../testing/test-app.js'
import type pg from 'pg'

interface Amount {
  readonly amount: string
}

let test: TestWallet
let producer: LogProducer
let consumer: LogConsumer
let pool: pg.Pool
const seen: IncomingMessage[] = []
let position = 0n

beforeAll(async () => {
  test = await startTestWallet()
  pool = createPool({ url: test.config.DATABASE_URL, schema: 'wallet', applicationName: 'test', maxConnections: 2 })
  producer = await test.driver.producer()
  consumer = await test.driver.consume({
    group: 'test',
    topics: [REPLIES, WALLET_EVENTS],
    maxBatch: 100,
    startOffset: () => Promise.resolve(0n),
    onBatch: (_, records) => {
      seen.push(...records.map(decodeMessage))
      return Promise.resolve()
    },
  })
})
afterAll(async () => {
  await consumer?.close()
  await producer?.close()
  await pool?.end()
  await test?.close()
})

const context = { correlationId: 'o-1', causationId: 'saga' }
const send = (...messages: readonly OutgoingMessage[]) =>
  producer.send(
    messages.map((message) =>
      encodeMessage(message, 'payment-saga', Date.now(), { incarnation: 'saga-store', position: ++position, ordinal: 0 }),
    ),
  )
const answersTo = (prefix: string) =>
  seen
    .filter(({ topic, data }) => topic === REPLIES && String(data['commandId']).startsWith(prefix))
    .map(({ data }) => `${String(data['commandId'])} ${String(data['outcome'])}`)
const read = async (walletId: string) => {
  const wallet = await test.call('GET', `/v1/wallets/${walletId}`)
  return [wallet.at('balance.amount'), wallet.at('held.amount')]
}

describe('wallet commands over the log', () => {
  it('answers each command once for each time that it comes, whatever happens to it', async () => {
    const walletId = await test.wallet('saga-1', 100)
    const own = { replyTo: 's-1', walletId, reference: 'o-1' }
    const hold = HoldFunds.message(walletId, { ...own, holdId: 'h-1', customerId: 'saga-1', amount: '6000' }, context, 's1-hold')
    await send(hold, hold, CaptureHold.message(walletId, { ...own, holdId: 'h-1' }, context, 's1-capture'))
    await send(RefundToWallet.message(walletId, { ...own, amount: '1000' }, context, 's1-refund'), hold)
    await eventually('five answers', () => answersTo('s1-').length >= 5)
    expect(answersTo('s1-').toSorted()).toEqual([
      's1-capture accepted',
      's1-hold accepted',
      's1-hold accepted',
      's1-hold accepted',
      's1-refund accepted',
    ])
    expect(await read(walletId)).toEqual(['5000', '0'])
    const changes = () => seen.filter(({ topic, key }) => topic === WALLET_EVENTS && key === walletId)
    await eventually('five changes', () => changes().length >= 5)
    expect(changes().map(({ data }) => data['version'])).toEqual([1, 2, 3, 4, 5])
  })

  it("never lets the owner end a saga's hold", async () => {
    const walletId = await test.wallet('saga-2', 100)
    const holdId = '0190a000-0000-7000-8000-0000000000f2'
    const data = { replyTo: 's-2', walletId, holdId, reference: 'o-2', customerId: 'saga-2', amount: '6000' }
    await send(HoldFunds.message(walletId, data, context, 's2-hold'))
    await eventually('the hold', () => answersTo('s2-').length === 1)
    for (const how of ['capture', 'release']) {
      const answer = await test.call('POST', `/v1/wallets/${walletId}/holds/${holdId}/${how}`, { as: ['saga-2', 'customer'] })
      expect([how, answer.status]).toEqual([how, 403])
    }
    expect(await read(walletId)).toEqual(['10000', '6000'])
  })

  it('parks a message that breaks its contract, and goes on with other wallets', async () => {
    const walletId = await test.wallet('saga-3', 100)
    const good = HoldFunds.message(
      walletId,
      { replyTo: 's-3', walletId, holdId: 'h-3', reference: 'o', customerId: 'saga-3', amount: '1' },
      context,
      's3-hold',
    )
    await send({ ...good, key: 'poison', id: 's3-poison', data: { replyTo: 's-3' } }, good)
    await eventually('the good one is answered', () => answersTo('s3-').includes('s3-hold accepted'))
    expect(answersTo('s3-')).toEqual(['s3-hold accepted'])
  })
})

describe('what must always hold', () => {
  it('adds up to the paisa after commands of every kind at once, from HTTP and the log', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, (_, at) => test.wallet(`mix-${at}`, 100)))
    const pick = (at: number) => ids[at % ids.length] ?? ''
    const http = Array.from({ length: 150 }, async (_, at) => {
      const id = pick(at * 7)
      const body = { amount: inr(1 + (at % 9)), reference: 'mix' }
      switch (at % 5) {
        case 0:
          return test.call('POST', `/v1/wallets/${id}/debits`, { body })
        case 1:
          return test.call('POST', `/v1/wallets/${id}/credits`, { body })
        case 2: {
          const held = await test.call('POST', `/v1/wallets/${id}/holds`, { body })
          const how = at % 2 === 0 ? 'capture' : 'release'
          return held.status === 201 ? test.call('POST', `/v1/wallets/${id}/holds/${String(held.at('holdId'))}/${how}`) : held
        }
        case 3: {
          const from = at % 5
          const transfer = { fromWalletId: pick(from), toWalletId: pick(from + 1), ...body }
          return test.call('POST', '/v1/transfers', { as: [`mix-${from}`, 'customer'], body: transfer })
        }
        default:
          return test.call('GET', `/v1/wallets/${id}`)
      }
    })
    const messages = Array.from({ length: 60 }, (_, at) => {
      const walletId = pick(at)
      const own = { replyTo: 'mix', walletId, reference: 'o' }
      const holdId = `mix-hold-${Math.floor(at / 3)}`
      const id = `mix-${at}`
      if (at % 3 === 0) return HoldFunds.message(walletId, { ...own, holdId, customerId: `mix-${at % 5}`, amount: '700' }, context, id)
      if (at % 3 === 1) return ReleaseHold.message(walletId, { ...own, holdId }, context, id)
      return RefundToWallet.message(walletId, { ...own, amount: '100' }, context, id)
    })
    await send(...messages)
    const answers = await Promise.all(http)
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
    await eventually('all are answered', () => answersTo('mix-').length >= 60)
    expect(new Set(answersTo('mix-').map((answer) => answer.split(' ')[0])).size).toBe(60)

    const { rows } = await pool.query<{ type: string; data: unknown }>(
      `SELECT type, data FROM readable_events WHERE stream_id LIKE 'wallet-%' AND stream_id NOT LIKE 'wallet-owner-%' ORDER BY position`,
    )
    const books = rows.reduce<Books>((sums, row) => book(sums, row as unknown as WalletEvent), NO_BOOKS)
    expect(balanceOf(books.transfers)).toBe(0n)
    const trial = await test.call('GET', '/v1/wallets/trial-balance', { as: ['aud', 'auditor'] })
    expect([trial.status, trial.at('total.amount'), trial.at('countedEvents')]).toEqual([200, '0', rows.length])
    const accounts = JSON.parse(trial.text) as { accounts: { account: keyof Books; debits: Amount; credits: Amount; balance: Amount }[] }
    expect(Object.fromEntries(accounts.accounts.map((each) => [each.account, [each.debits.amount, each.credits.amount]]))).toEqual(
      Object.fromEntries(Object.entries(books).map(([account, sums]) => [account, [`${sums.debits}`, `${sums.credits}`]])),
    )
    const all = await Promise.all(ids.map(async (id) => BigInt(String((await test.call('GET', `/v1/wallets/${id}`)).at('balance.amount')))))
    const others = await pool.query<{ sum: string }>(
      `SELECT coalesce(sum((data ->> 'balance')::numeric), 0)::text AS sum FROM (
         SELECT DISTINCT ON (stream_id) stream_id, data FROM readable_events
         WHERE stream_id LIKE 'wallet-%' AND stream_id NOT LIKE 'wallet-owner-%' AND stream_id <> ALL ($1)
         ORDER BY stream_id, version DESC) AS last`,
      [ids.map((id) => `wallet-${id}`)],
    )
    expect(balanceOf(books.wallets)).toBe(all.reduce((sum, each) => sum + each, BigInt(others.rows[0]?.sum ?? '0')))
    for (const id of ids) expect((await test.call('GET', `/v1/wallets/${id}/verify`)).at('faults')).toEqual([])
  })

  it('releases a hold that expired while no process ran', async () => {
    const stopped = await startTestWallet({ HOLD_EXPIRY_POLL_MS: 60_000 })
    const walletId = await stopped.wallet('restart', 100)
    const expiresAt = new Date(Date.now() + 3_000)
    const body = { amount: inr(10), reference: 'r', expiresAt: expiresAt.toISOString() }
    expect((await stopped.call('POST', `/v1/wallets/${walletId}/holds`, { body })).status).toBe(201)
    await stopped.app.close()
    await eventually('its time has come', () => Date.now() > expiresAt.getTime())
    const { call } = await stopped.second()
    await eventually('it is released', async () => (await call('GET', `/v1/wallets/${walletId}`)).at('held.amount') === '0')
    await stopped.close()
  })

  it('sees an amount that was rewritten in the database', async () => {
    const walletId = await test.wallet('forged', 100)
    expect((await test.call('GET', `/v1/wallets/${walletId}/verify`)).at('ok')).toBe(true)
    await pool.query(
      `UPDATE events SET payload = convert_to(replace(convert_from(payload, 'UTF8'), '"amount":"10000"', '"amount":"90000"'), 'UTF8')
       WHERE stream_id = $1 AND version = 2`,
      [`wallet-${walletId}`],
    )
    const verified = await test.call('GET', `/v1/wallets/${walletId}/verify`)
    expect([verified.at('ok'), verified.at('faults')]).toEqual([false, ['hash-chain', 'balances', 'state']])
  })
})
