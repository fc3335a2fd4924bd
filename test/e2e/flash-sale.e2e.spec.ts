import { describe, expect, it } from '@jest/globals'
import {
  at,
  call,
  getOrder,
  getPayment,
  makeCustomer,
  makeProduct,
  makeWallet,
  placeOrder,
  poll,
  staffToken,
  type Answer,
  type Customer,
} from './shop.js'

const BUYERS = 2_000
const UNITS = 100
const PRICE = 10_000
const FUNDS = 15_000

const inLanes = async <T, R>(items: readonly T[], lanes: number, work: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T)
    }),
  )
  return results
}

describe('flash sale', () => {
  it(`${BUYERS} buyers at once, ${UNITS} units: exactly ${UNITS} are confirmed, and wallets and stock add up`, async () => {
    const sku = await makeProduct({ price: PRICE, stock: UNITS })
    const buyers = await inLanes(Array.from({ length: BUYERS }), 32, async () => {
      const customer = await makeCustomer()
      return { customer, walletId: await makeWallet(customer, FUNDS) }
    })
    const placed = await Promise.all(buyers.map(({ customer, walletId }) => placeOrder(customer, sku, { method: 'wallet', walletId })))
    expect(placed.map(({ status }) => status)).toEqual(Array.from({ length: BUYERS }, () => 201))

    const ends = await inLanes(
      placed.map((answer, index) => ({ answer, buyer: buyers[index] as { customer: Customer; walletId: string } })),
      32,
      async ({ answer, buyer }) => {
        const orderId = String(answer.body['orderId'])
        await poll(
          () => getPayment(buyer.customer, orderId),
          (payment) => ['COMPLETED', 'COMPENSATED'].includes(String(payment.body['status'])),
          300_000,
        )
        const order = await poll(
          () => getOrder(buyer.customer, orderId),
          ({ body }) => body['status'] !== 'PLACED',
          300_000,
        )
        const wallet: Answer = await call('GET', `/v1/wallets/${buyer.walletId}`, { token: buyer.customer.token })
        return {
          end: `${String(order.body['status'])} ${at(order, 'cancellation.reason') ?? ''}`.trim(),
          balance: at(wallet, 'balance.amount'),
          held: at(wallet, 'held.amount'),
        }
      },
    )
    const confirmed = ends.filter(({ end }) => end === 'CONFIRMED')
    expect(confirmed).toHaveLength(UNITS)
    expect(ends.filter(({ end }) => end === 'CANCELLED out-of-stock')).toHaveLength(BUYERS - UNITS)
    expect(new Set(ends.map(({ held }) => held))).toEqual(new Set(['0']))
    expect(new Set(confirmed.map(({ balance }) => balance))).toEqual(new Set([String(FUNDS - PRICE)]))
    expect(new Set(ends.filter(({ end }) => end !== 'CONFIRMED').map(({ balance }) => balance))).toEqual(new Set([String(FUNDS)]))

    await poll(
      () => call('GET', `/v1/products/${sku}`),
      ({ body }) => body['available'] === 0,
    )
    const sold = await call('POST', `/v1/products/${sku}/stock`, {
      token: await staffToken('merchant'),
      body: { adjusted: -1, reason: 'a unit that is not there' },
    })
    expect(sold.status).toBe(422)
  }, 600_000)
})
