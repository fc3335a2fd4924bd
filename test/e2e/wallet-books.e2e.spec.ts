import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { newHome, removeHome, startPlatform } from '../support/platform.mjs'
import { at, call, ended, makeCustomer, makeProduct, makeWallet, newKey, placeOrder, poll, staffToken, type Customer } from './shop.js'

/** A platform of its own: what is counted here is everything that happened. */
let platform: Awaited<ReturnType<typeof startPlatform>>
const shared = process.env['BAHI_E2E_URL']
beforeAll(async () => {
  platform = await startPlatform({ home: await newHome() })
  process.env['BAHI_E2E_URL'] = platform.baseUrl
}, 120_000)
afterAll(async () => {
  if (shared === undefined) delete process.env['BAHI_E2E_URL']
  else process.env['BAHI_E2E_URL'] = shared
  await platform?.stop()
  if (platform) await removeHome(platform.home)
}, 60_000)

interface Bought {
  readonly customer: Customer
  readonly walletId: string
  readonly orderId: string
}

it('owe merchants what the payments’ sagas captured less what they refunded, and customers what is in their wallets', async () => {
  const sku = await makeProduct({ price: 10_100, stock: 1_000 })
  const buy = async (number: number): Promise<Bought> => {
    const customer = await makeCustomer()
    // Every fourth has too little, and is declined.
    const walletId = await makeWallet(customer, number % 4 === 3 ? 100 : 50_000)
    const placed = await placeOrder(customer, sku, { method: 'wallet', walletId }, 1 + (number % 3))
    const [order, saga] = number % 4 === 3 ? ['CANCELLED', 'COMPENSATED'] : ['CONFIRMED', 'COMPLETED']
    await ended(customer, placed, String(order), String(saga))
    return { customer, walletId, orderId: String(placed.body['orderId']) }
  }
  const all = await Promise.all(Array.from({ length: 12 }, (_, number) => buy(number)))
  const payment = ({ customer, orderId }: Bought) => call('GET', `/v1/orders/${orderId}/payment`, { token: customer.token })
  for (const bought of all.filter((_, number) => number % 4 === 1)) {
    const cancelled = await call('POST', `/v1/orders/${bought.orderId}/cancel`, { token: bought.customer.token, key: newKey(), body: {} })
    expect(cancelled.status).toBe(200)
    await poll(
      () => payment(bought),
      (answer) => at(answer, 'refunded.amount') === at(answer, 'captured.amount'),
    )
  }
  const payments = await Promise.all(all.map(payment))
  const sum = (path: string) => payments.reduce((total, answer) => total + BigInt(at(answer, path) ?? '0'), 0n)
  const [captured, refunded] = [sum('captured.amount'), sum('refunded.amount')]
  expect(captured > refunded && refunded > 0n).toBe(true)

  const auditor = await staffToken('auditor')
  const trial = await call('GET', '/v1/wallets/trial-balance', { token: auditor })
  const accounts = trial.body['accounts'] as unknown as readonly { account: string; debits: Money; credits: Money; balance: Money }[]
  const of = (name: string) => accounts.find(({ account }) => account === name)
  expect([of('merchant-payable')?.credits.amount, of('merchant-payable')?.debits.amount]).toEqual([`${captured}`, `${refunded}`])
  const wallets = await Promise.all(all.map(({ walletId }) => call('GET', `/v1/wallets/${walletId}`, { token: auditor })))
  const held = wallets.reduce((total, answer) => total + BigInt(at(answer, 'balance.amount') ?? '0'), 0n)
  expect(of('wallets')?.balance.amount).toBe(held.toString())
  expect(at(trial, 'total.amount')).toBe('0')
}, 180_000)

interface Money {
  readonly amount: string
}
