// What a load of wallet orders needs of the platform, over HTTP alone: customers with money, products with stock, orders and their ends.
import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { Pool } from 'undici'

const TIMEOUT_MS = 30_000
const MOST_WAIT_S = 5
/** As a client does that is told 503. */
export const TRIES = 5
const SETUP_WIDTH = 16
const STOCK = 1_000_000_000
const PRICE_PAISE = 10_000
const FUNDS_PAISE = 10_000_000

const inr = (paise) => ({ amount: String(paise), currency: 'INR' })

/** A 503 is answered by the same request again, `tries` times in all. */
const persist = async (call, tries, ...request) => {
  let answer = await call(...request)
  for (let tried = 1; answer.status === 503 && tried < tries; tried++) {
    await wait(Math.min(Number(answer.headers['retry-after']) || 1, MOST_WAIT_S) * 1_000)
    answer = await call(...request)
  }
  return answer
}

/** A pool of kept connections; answers `{ status, body, headers }`. */
export const openClient = (baseUrl, connections) => {
  const pool = new Pool(baseUrl, { connections, pipelining: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS })
  const call = async (method, path, { token, key, body } = {}) => {
    const headers = {}
    if (token) headers.authorization = `Bearer ${token}`
    if (key) headers['idempotency-key'] = key
    if (body !== undefined) headers['content-type'] = 'application/json'
    const answer = await pool.request({ method, path, headers, body: body === undefined ? null : JSON.stringify(body) })
    const text = await answer.body.text()
    return { status: answer.statusCode, headers: answer.headers, body: text ? JSON.parse(text) : {} }
  }
  const expect = async (status, method, path, options) => {
    const answer = await persist(call, TRIES, method, path, options)
    if (answer.status !== status) throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    return answer
  }
  return { call, expect, close: () => pool.close() }
}

/** Runs `work` for 0 to count - 1, at most `width` at a time; answers in order. */
export const inParallel = async (count, width, work) => {
  const results = []
  let next = 0
  const lane = async () => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index)
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane))
  return results
}

export const makeShop = async (client, customerCount, productCount) => {
  const token = async (sub, role) => (await client.expect(200, 'POST', '/v1/dev/token', { body: { sub, roles: [role] } })).body.accessToken
  const merchant = await token('load-merchant', 'merchant')
  const support = await token('load-support', 'support')
  const products = await inParallel(productCount, SETUP_WIDTH, async (index) => {
    const sku = `LOAD-${index}-${randomUUID().slice(0, 8).toUpperCase()}`
    const body = { title: `Product ${index}`, category: 'audio', price: inr(PRICE_PAISE), gstRate: 18, hsn: '8518' }
    await client.expect(201, 'PUT', `/v1/products/${sku}`, { token: merchant, body })
    await client.expect(200, 'POST', `/v1/products/${sku}/stock`, { token: merchant, key: randomUUID(), body: { received: STOCK } })
    return sku
  })
  const customers = await inParallel(customerCount, SETUP_WIDTH, async (index) => {
    const id = `load-${randomUUID().slice(0, 13)}`
    const { walletId } = (
      await client.expect(201, 'POST', '/v1/wallets', { token: support, key: randomUUID(), body: { ownerId: id, kyc: 'full' } })
    ).body
    const credit = { amount: inr(FUNDS_PAISE), reference: 'load' }
    await client.expect(201, 'POST', `/v1/wallets/${walletId}/credits`, { token: support, key: randomUUID(), body: credit })
    return { id, walletId, line1: `${index + 1} MG Road`, token: await token(id, 'customer') }
  })
  return { customers, products }
}

/** What is sent for the `index`th order; the baseline is sent the same. */
export const orderOf = ({ customers, products }, index) => {
  const customer = customers[index % customers.length]
  const address = { name: 'Asha Rao', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210', line1: customer.line1 }
  const body = {
    items: [{ sku: products[index % products.length], quantity: 1 }],
    shippingAddress: address,
    payment: { method: 'wallet', walletId: customer.walletId },
  }
  return { token: customer.token, key: randomUUID(), body }
}

/**
 * Places one order, a 503 answered by the same request again, `tries` times in all. `took_ms` counts from when it was due, so that a stall delays what
 * it holds up.
 */
export const place = async (client, shop, index, due = performance.now(), tries = 1) => {
  const request = orderOf(shop, index)
  const { status, body } = await persist(client.call, tries, 'POST', '/v1/orders', request)
  const accepted = performance.now()
  if (status !== 201) return { refused: `${status} ${body.type ?? ''}` }
  return { orderId: body.orderId, token: request.token, took_ms: accepted - due, accepted }
}

/** Asks until the order is no longer PLACED; answers how it was read then, and how long after its acceptance. */
export const watch = async (client, { orderId, token, accepted }, every_ms, timeout_ms) => {
  for (;;) {
    const { status, body } = await client.call('GET', `/v1/orders/${orderId}`, { token })
    const seen_ms = performance.now() - accepted
    if (status === 200 && body.status !== 'PLACED') return { order: body, seen_ms }
    if (seen_ms > timeout_ms) return { order: { ...body, status: `still ${body.status} after ${timeout_ms} ms` }, seen_ms }
    // What takes long is asked about less often, so that asking is not the load.
    await new Promise((resolve) => setTimeout(resolve, Math.max(every_ms, seen_ms / 10)))
  }
}

/** Every order as it ended: its status, and the server's own time from placed to confirmed. */
export const readBack = (client, orders, timeout_ms) =>
  inParallel(orders.length, SETUP_WIDTH, async (index) => {
    const { status, updatedAt, placedAt } = (await watch(client, orders[index], 250, timeout_ms)).order
    return { status, confirmed_ms: Date.parse(updatedAt) - Date.parse(placedAt), confirmedAt: Date.parse(updatedAt) }
  })
