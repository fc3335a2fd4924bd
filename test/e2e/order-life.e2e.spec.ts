import { describe, expect, it } from '@jest/globals'
import {
  ADDRESS,
  at,
  call,
  ended,
  getOrder,
  getPayment,
  inr,
  makeCustomer,
  makeProduct,
  makeWallet,
  newKey,
  placeOrder,
  poll,
  readAfter,
  staffToken,
  type Answer,
  type Customer,
} from './shop.js'

const PRICE = 25_000
const SHIPMENT = { carrier: 'Delhivery', trackingNumber: 'DL123456789IN' }
const GOES_ON = [
  ['pack', {}],
  ['ship', SHIPMENT],
  ['out-for-delivery', {}],
  ['deliver', {}],
] as const

const orderIdOf = (placed: Answer): string => String(placed.body['orderId'])
const asMerchant = async (orderId: string, action: string, body: unknown = {}): Promise<Answer> =>
  call('POST', `/v1/orders/${orderId}/${action}`, { token: await staffToken('merchant'), key: newKey(), body })
const asOwner = (customer: Customer, orderId: string, action: string, body: unknown = {}): Promise<Answer> =>
  call('POST', `/v1/orders/${orderId}/${action}`, { token: customer.token, key: newKey(), body })

const goOn = async (orderId: string, steps: number): Promise<Answer | undefined> => {
  let last: Answer | undefined
  for (const [action, body] of GOES_ON.slice(0, steps)) {
    last = await asMerchant(orderId, action, body)
    expect([action, last.status]).toEqual([action, 200])
  }
  return last
}

/** An order of two units, confirmed and paid for as it is to be before it is delivered. */
const confirmed = async (payBy: (customer: Customer) => Promise<object>) => {
  const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
  const placed = await placeOrder(customer, sku, await payBy(customer), 2)
  await ended(customer, placed, 'CONFIRMED', 'COMPLETED')
  return { sku, customer, orderId: orderIdOf(placed) }
}

const payment = (customer: Customer, orderId: string, captured: number, refunded: number) =>
  poll(
    () => getPayment(customer, orderId),
    (answer) => at(answer, 'captured.amount') === String(captured) && at(answer, 'refunded.amount') === String(refunded),
  )
const settledStock = (sku: string, expected: number) =>
  poll(
    () => call('GET', `/v1/products/${sku}`),
    (answer) => answer.body['available'] === expected,
  )

const cod = () => Promise.resolve({ method: 'cod' })
const byCard = () => Promise.resolve({ method: 'card', token: 'tok_success' })
const byWallet = async (customer: Customer) => ({ method: 'wallet', walletId: await makeWallet(customer, 100_000) })
const bySplit = async (customer: Customer) => ({
  method: 'split',
  walletId: await makeWallet(customer, 100_000),
  amount: inr(20_000),
  other: { method: 'upi', vpa: 'success@upi' },
})

describe('an order after payment', () => {
  it.concurrent('by cash on delivery is delivered, and captured only then', async () => {
    const { sku, customer, orderId } = await confirmed(cod)
    const delivered = await goOn(orderId, 4)
    expect(delivered?.body['status']).toBe('DELIVERED')
    if (!delivered) throw new Error('not delivered')
    const order = await readAfter(delivered, `/v1/orders/${orderId}`, customer.token)
    expect(order.body).toMatchObject({ status: 'DELIVERED', shipment: SHIPMENT, shippingAddress: ADDRESS })
    expect(order.headers.get('etag')).toBe(delivered.headers.get('etag'))
    await payment(customer, orderId, 2 * PRICE, 0)
    await settledStock(sku, 8)
    const history = await readAfter(delivered, `/v1/orders/${orderId}/history`, customer.token)
    const told = (history.body['items'] as unknown as { type: string }[]).map(({ type }) => type)
    expect(told).toEqual(expect.arrayContaining(['OrderPacked', 'OrderShipped', 'OrderOutForDelivery', 'OrderDelivered']))
  })

  it.concurrent.each([
    ['by cash on delivery', cod, 0],
    ['by card', byCard, 2 * PRICE],
    ['by wallet', byWallet, 2 * PRICE],
  ])('packed and paid %s can be cancelled: money and stock go back', async (_, payBy, paid) => {
    const { sku, customer, orderId } = await confirmed(payBy)
    await goOn(orderId, 1)
    expect((await asOwner(customer, orderId, 'cancel')).body['status']).toBe('CANCELLED')
    await payment(customer, orderId, paid, paid)
    await settledStock(sku, 10)
  })

  it.concurrent('shipped can be cancelled no more', async () => {
    const { sku, customer, orderId } = await confirmed(byCard)
    await goOn(orderId, 2)
    const refused = await asOwner(customer, orderId, 'cancel')
    expect([refused.status, refused.body['type']]).toEqual([409, '/problems/invalid-transition'])
    await payment(customer, orderId, 2 * PRICE, 0)
    await settledStock(sku, 8)
  })
})

describe('goods that are given back', () => {
  it.concurrent.each([
    ['by card', byCard],
    ['by wallet', byWallet],
    ['by wallet and UPI', bySplit],
  ])('and were paid %s: what was paid for them is refunded, and they can be sold again', async (_, payBy) => {
    const { sku, customer, orderId } = await confirmed(payBy)
    await goOn(orderId, 4)
    const asked = await asOwner(customer, orderId, 'return', { items: [{ sku, quantity: 1 }], reason: 'one is enough' })
    expect([asked.status, asked.body['status']]).toEqual([200, 'RETURN_REQUESTED'])
    const accepted = await asMerchant(orderId, 'return/accept')
    expect([accepted.status, at(accepted, 'return.refund.amount')]).toEqual([200, String(PRICE)])
    await payment(customer, orderId, 2 * PRICE, PRICE)
    await settledStock(sku, 9)
    const order = await poll(
      () => getOrder(customer, orderId),
      (answer) => answer.body['status'] === 'RETURNED',
    )
    expect(order.body['return']).toMatchObject({ items: [{ sku, quantity: 1 }], reason: 'one is enough', refund: inr(PRICE) })
    expect(Number((await asMerchant(orderId, 'return/accept')).status)).toBe(409)
  })

  it.concurrent('show what was written to the owner, merchants and support, and to nobody else', async () => {
    const { sku, customer, orderId } = await confirmed(byCard)
    await goOn(orderId, 4)
    const asked = await asOwner(customer, orderId, 'return', { items: [{ sku, quantity: 2 }], reason: 'private matter' })
    const seenBy = async (token: string) => at(await readAfter(asked, `/v1/orders/${orderId}`, token), 'return.reason')
    const seen = async (role: Parameters<typeof staffToken>[0]) => seenBy(await staffToken(role))
    expect(await seenBy(customer.token)).toBe('private matter')
    expect(await Promise.all([seen('merchant'), seen('support'), seen('risk'), seen('auditor'), seen('admin')])).toEqual([
      'private matter',
      'private matter',
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('what nobody may say', () => {
  it('is a query parameter that a call does not take', async () => {
    const { customer, orderId } = await confirmed(cod)
    for (const path of [`/v1/orders/${orderId}?expand=all`, `/v1/orders/${orderId}/history?limit=5`, '/v1/products/NO-1?x=1']) {
      const answer = await call('GET', path, { token: customer.token })
      expect([path, answer.status, answer.body['type']]).toEqual([path, 400, '/problems/invalid-input'])
    }
    const asked = await call('POST', `/v1/orders/${orderId}/cancel?force=true`, { token: customer.token, body: {} })
    expect([asked.status, (asked.body['errors'] as unknown as { pointer: string }[])[0]?.pointer]).toEqual([400, '/force'])
  })
})
