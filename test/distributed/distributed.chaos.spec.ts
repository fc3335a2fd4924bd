import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { request } from 'node:http'
import { failWithout, kafkaMissing, skippedWithout } from '../support/kafka.mjs'
import { redisMissing } from '../support/redis.mjs'
import {
  at,
  call,
  ended,
  inr,
  makeCustomer,
  makeProduct,
  makeWallet,
  newKey,
  placeOrder,
  poll,
  readAfter,
  staffToken,
} from '../e2e/shop.js'
import type { AppName } from '../../apps/front/routing-table.js'
import { membersOf } from './groups.js'
import { startPlatform, type Platform } from './platform.js'
import type { AppProcess, Ended } from './processes.js'

const START_MS = 240_000
const PRICE = 10_000
const FUNDS = 15_000

const missing = kafkaMissing() ?? redisMissing()
const skipped = skippedWithout({ describe, it }, 'the platform as processes over Kafka', missing)

let platform: Platform

/** Until the group's members, and none that died, share its partitions. */
const shared = (group: AppName, members: number): Promise<void> =>
  eventually(
    `${group} has ${members} members with partitions`,
    async () => {
      const found = await membersOf(platform.brokers, group)
      return found?.length === members && found.every((partitions) => partitions > 0)
    },
    40_000,
  )

/** As many buyers, each paying in a way that succeeds, every second one by wallet; all orders end well and the books add up. */
const buy = async (count: number, whileUnderWay: () => Promise<void> = () => Promise.resolve()): Promise<void> => {
  const sku = await makeProduct({ price: PRICE, stock: count + 7 })
  const others = [
    { method: 'upi', vpa: 'success@upi' },
    { method: 'card', token: 'tok_success' },
    { method: 'upi', vpa: 'lost@upi' },
  ]
  const buyers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const customer = await makeCustomer()
      if (index % 2 === 1) return { customer, instrument: others[(index >> 1) % others.length]! }
      const walletId = await makeWallet(customer, FUNDS)
      return { customer, walletId, instrument: { method: 'wallet', walletId } }
    }),
  )
  const orders = Promise.all(
    buyers.map(async ({ customer, instrument, walletId }) => {
      const placed = await placeOrder(customer, sku, instrument)
      const { payment } = await ended(customer, placed, 'CONFIRMED', 'COMPLETED', 120_000)
      expect([at(payment, 'captured.amount'), at(payment, 'refunded.amount')]).toEqual([String(PRICE), '0'])
      if (!walletId) return
      const wallet = await poll(
        () => call('GET', `/v1/wallets/${walletId}`, { token: customer.token }),
        ({ status }) => status === 200,
      )
      expect([at(wallet, 'balance.amount'), at(wallet, 'held.amount')]).toEqual([String(FUNDS - PRICE), '0'])
    }),
  )
  await Promise.all([orders, whileUnderWay()])
  await poll(
    () => call('GET', `/v1/products/${sku}`),
    ({ body }) => body['available'] === 7,
  )
}

if (!skipped) {
  beforeAll(async () => {
    failWithout(missing)
    platform = await startPlatform()
    process.env['BAHI_E2E_URL'] = platform.baseUrl
    process.env['BAHI_E2E_SANDBOX_URL'] = platform.sandboxUrl
  }, START_MS)
  afterAll(async () => {
    const output = platform?.output() ?? []
    await platform?.stop()
    if (output.some((line) => line.includes('"level":'))) console.warn(output.slice(-60).join('\n').slice(0, 20_000))
  })
  // The end-to-end suite, as it is.
  await import('../e2e/order-payment.e2e.spec.js')
}

if (!skipped)
  describe('the platform as processes over Kafka', () => {
    it('reads what was written, by consistency tokens', async () => {
      const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 20 }), makeCustomer()])
      for (const instrument of [{ method: 'cod' }, { method: 'upi', vpa: 'success@upi' }, { method: 'card', token: 'tok_success' }]) {
        const placed = await placeOrder(customer, sku, instrument)
        const orderId = String(placed.body['orderId'])
        const path = `/v1/orders/${orderId}`
        const [order, payment] = await Promise.all([path, `${path}/payment`].map((each) => readAfter(placed, each, customer.token)))
        expect([order?.status, order?.body['orderId'], payment?.status]).toEqual([200, orderId, 200])
        const cancelled = await call('POST', `${path}/cancel`, {
          token: customer.token,
          key: newKey(),
          body: { reason: 'no' },
        })
        const after = await readAfter(cancelled, path, customer.token)
        expect([cancelled.status, after.body['status']]).toEqual([200, 'CANCELLED'])
      }
    })

    it('shares the work of wallet and payment-saga between two replicas each', async () => {
      await Promise.all([platform.add('wallet'), platform.add('payment-saga')])
      await Promise.all([shared('wallet', 2), shared('payment-saga', 2)])
      await buy(20)
    }, 300_000)

    it('ends 50 orders while a replica of each is killed', async () => {
      const [wallet, saga] = [platform.replicas('wallet')[0]!, platform.replicas('payment-saga')[0]!]
      await buy(50, async () => {
        const ended = await Promise.all([wallet.kill(), saga.kill()])
        expect(ended.map(({ signal }) => signal)).toEqual(['SIGKILL', 'SIGKILL'])
        platform.withdraw(wallet)
        platform.withdraw(saga)
        await Promise.all([shared('wallet', 1), shared('payment-saga', 1)])
      })
    }, 300_000)

    it('drains on SIGTERM: what is under way is answered, the partitions go to the other replica', async () => {
      const leaving = platform.replicas('wallet')[0]!
      await platform.add('wallet')
      await shared('wallet', 2)
      const customer = await makeCustomer()
      const walletId = await makeWallet(customer, FUNDS)
      platform.withdraw(leaving)
      const { status, ended: end } = await creditWhileEnding(leaving, walletId)
      expect([status, end.code, end.signal]).toEqual([201, 0, null])
      await shared('wallet', 1)
      const wallet = await call('GET', `/v1/wallets/${walletId}`, { token: customer.token })
      expect(at(wallet, 'balance.amount')).toBe(String(FUNDS + 100))
      await buy(6)
    }, 300_000)

    it('says nothing unasked: no warnings, no errors but of what was away', () => {
      const lines = platform.output().filter((line) => !/ (listens on|waits for) /.test(line))
      expect(lines.filter((line) => !line.includes('"level":'))).toEqual([])
    })
  })

/** Begins a credit at this replica, ends the replica once it has taken it on, and sends the body only when nothing new is taken on. */
const creditWhileEnding = async (replica: AppProcess, walletId: string): Promise<{ readonly status: number; readonly ended: Ended }> => {
  const body = JSON.stringify({ amount: inr(100), reference: 'drain' })
  const headers = {
    authorization: `Bearer ${await staffToken('support')}`,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'idempotency-key': newKey(),
    expect: '100-continue',
  }
  const credit = request(`${replica.url}/v1/wallets/${walletId}/credits`, { method: 'POST', headers, agent: false, timeout: 20_000 })
  const taken = new Promise<void>((done) => credit.once('continue', done))
  const answered = new Promise<number>((done, fail) => {
    credit.on('response', (response) => done(response.resume().statusCode ?? 0))
    credit.on('timeout', () => credit.destroy(new Error('no answer')))
    credit.on('error', fail)
  })
  credit.flushHeaders()
  await Promise.race([taken, answered])
  const ended = replica.stop()
  await refused(replica)
  credit.end(body)
  return { status: await answered, ended: await ended }
}

/** Until the replica takes no new connections. */
const refused = ({ url }: AppProcess): Promise<void> =>
  eventually(`${url} takes no connections`, () =>
    fetch(`${url}/health/live`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(2_000) }).then(
      async (answer) => (await answer.text(), false),
      () => true,
    ),
  )
