import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { newHome, removeHome, startPlatform } from '../support/platform.mjs'
import {
  at,
  call,
  ended,
  makeCustomer,
  makeProduct,
  makeWallet,
  newKey,
  placeOrder,
  poll,
  staffToken,
  type Answer,
  type Customer,
} from './shop.js'

/** A platform of its own: what is counted here is everything that happened. */
let platform: Awaited<ReturnType<typeof startPlatform>>
const shared = process.env['BAHI_E2E_URL']
beforeAll(async () => {
  platform = await startPlatform({ home: await newHome() })
  process.env['BAHI_E2E_URL'] = platform.baseUrl
}, 300_000)
afterAll(async () => {
  if (shared === undefined) delete process.env['BAHI_E2E_URL']
  else process.env['BAHI_E2E_URL'] = shared
  await platform?.stop()
  if (platform) await removeHome(platform.home)
})

interface Bought {
  readonly customer: Customer
  readonly walletId: string
  readonly orderId: string
}

const act = async ({ orderId }: Bought, action: string, token: string, body: unknown = {}): Promise<void> => {
  const { status, text } = await call('POST', `/v1/orders/${orderId}/${action}`, { token, key: newKey(), body })
  expect([action, status, status === 200 ? '' : text]).toEqual([action, 200, ''])
}
const payment = ({ customer, orderId }: Bought) => call('GET', `/v1/orders/${orderId}/payment`, { token: customer.token })
const refunded = (bought: Bought, until: (amount: bigint, captured: bigint) => boolean) =>
  poll(
    () => payment(bought),
    (answer) =>
      ['COMPLETED', 'COMPENSATED'].includes(String(answer.body['status'])) &&
      until(BigInt(at(answer, 'refunded.amount') ?? '0'), BigInt(at(answer, 'captured.amount') ?? '0')),
  )

it('owe merchants what the payments’ sagas captured less what they refunded, and customers what is in their wallets', async () => {
  const sku = await makeProduct({ price: 10_100, stock: 1_000 })
  const merchant = await staffToken('merchant')
  const place = async (number: number, funds: number): Promise<Bought & { readonly placed: Answer }> => {
    const customer = await makeCustomer()
    const walletId = await makeWallet(customer, funds)
    const placed = await placeOrder(customer, sku, { method: 'wallet', walletId }, 1 + (number % 3))
    return { customer, walletId, placed, orderId: String(placed.body['orderId']) }
  }
  const confirmed = async (number: number): Promise<Bought> => {
    const bought = await place(number, 50_000)
    await ended(bought.customer, bought.placed, 'CONFIRMED', 'COMPLETED')
    return bought
  }
  const kinds: readonly ((number: number) => Promise<Bought>)[] = [
    confirmed,
    async function cancelledAfterCapture(number) {
      const bought = await confirmed(number)
      await act(bought, 'cancel', bought.customer.token)
      await refunded(bought, (amount, captured) => amount > 0n && amount === captured)
      return bought
    },
    async function declined(number) {
      const bought = await place(number, 100)
      await ended(bought.customer, bought.placed, 'CANCELLED', 'COMPENSATED')
      return bought
    },
    /** Before or after the money was held or taken, as it falls. */
    async function cancelledAtOnce(number) {
      const bought = await place(number, 50_000)
      await act(bought, 'cancel', bought.customer.token)
      await refunded(bought, (amount, captured) => amount === captured)
      return bought
    },
    async function partlyReturned() {
      const bought = await confirmed(2)
      await act(bought, 'pack', merchant)
      await act(bought, 'ship', merchant, { carrier: 'Delhivery', trackingNumber: 'DL123456789IN' })
      for (const action of ['out-for-delivery', 'deliver']) await act(bought, action, merchant)
      await act(bought, 'return', bought.customer.token, { items: [{ sku, quantity: 1 }], reason: 'one too many' })
      await act(bought, 'return/accept', merchant)
      await refunded(bought, (amount, captured) => amount > 0n && amount < captured)
      return bought
    },
  ]
  const all = await Promise.all(Array.from({ length: 15 }, (_, number) => kinds[number % kinds.length]?.(number)))
  const bought = all.filter((each) => each !== undefined)
  const payments = await Promise.all(bought.map(payment))
  const sum = (path: string) => payments.reduce((total, answer) => total + BigInt(at(answer, path) ?? '0'), 0n)
  const [captured, given] = [sum('captured.amount'), sum('refunded.amount')]
  expect(captured > given && given > 0n).toBe(true)

  const auditor = await staffToken('auditor')
  const trial = await call('GET', '/v1/wallets/trial-balance', { token: auditor })
  const accounts = trial.body['accounts'] as unknown as readonly { account: string; debits: Money; credits: Money; balance: Money }[]
  const of = (name: string) => accounts.find(({ account }) => account === name)
  expect([of('merchant-payable')?.credits.amount, of('merchant-payable')?.debits.amount]).toEqual([`${captured}`, `${given}`])
  const wallets = await Promise.all(bought.map(({ walletId }) => call('GET', `/v1/wallets/${walletId}`, { token: auditor })))
  const sumOf = (path: string) => wallets.reduce((total, answer) => total + BigInt(at(answer, path) ?? '0'), 0n)
  expect([of('wallets')?.balance.amount, sumOf('held.amount')]).toEqual([sumOf('balance.amount').toString(), 0n])
  expect(at(trial, 'total.amount')).toBe('0')
  const cli = [join(import.meta.dirname, '../../dist/apps/bahi/cli/main.js'), 'wallet', 'trial-balance', '--json', '--home', platform.home]
  expect(JSON.parse(execFileSync(process.execPath, cli, { encoding: 'utf8', timeout: 30_000 }))).toEqual(trial.body)
}, 300_000)

interface Money {
  readonly amount: string
}
