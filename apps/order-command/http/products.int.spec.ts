import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { ConsistencyToken } from '#platform'
import { airdopes, asha, merchant } from '../testing/examples.js'
import { RunningApp } from '../testing/running-app.js'

let running: RunningApp
const call: RunningApp['call'] = (...args) => running.call(...args)

beforeAll(async () => {
  running = await RunningApp.start()
})
afterAll(() => running?.close(), 30_000)

describe('the catalogue', () => {
  it('defines, leaves alone, changes', async () => {
    const defined = await call('PUT', '/v1/products/P-1', { as: merchant, body: airdopes })
    expect(defined).toMatchObject({ status: 201, headers: { etag: '"1"', location: '/v1/products/P-1' } })
    expect(defined.body).toEqual({ sku: 'P-1', ...airdopes, available: 0, version: 1 })
    expect(ConsistencyToken.parse(String(defined.headers['consistency-token'])).streams).toEqual({ 'product-P-1': 1 })

    expect(await call('PUT', '/v1/products/P-1', { as: merchant, body: airdopes })).toMatchObject({ status: 200, headers: { etag: '"1"' } })

    const cheaper = { ...airdopes, price: { amount: '129900', currency: 'INR' } }
    const stale = await call('PUT', '/v1/products/P-1', { as: merchant, body: cheaper, headers: { 'if-match': '"7"' } })
    expect(stale).toMatchObject({ status: 412, body: { type: '/problems/version-mismatch' } })
    const changed = await call('PUT', '/v1/products/P-1', { as: merchant, body: cheaper, headers: { 'if-match': '"1"' } })
    expect(changed).toMatchObject({ status: 200, headers: { etag: '"2"' }, body: { price: cheaper.price, version: 2 } })

    await eventually('both versions are published', () => running.heardOf('ProductChanged', 'P-1').length === 2)
    expect(running.heardOf('ProductChanged', 'P-1').map(({ data }) => [data['version'], data['price']])).toEqual([
      [1, '149900'],
      [2, '129900'],
    ])
  })

  it('is for merchants and admins', async () => {
    expect(await call('PUT', '/v1/products/P-2', { body: airdopes })).toMatchObject({ status: 401 })
    expect(await call('PUT', '/v1/products/P-2', { as: asha, body: airdopes })).toMatchObject({ status: 403 })
    expect(await call('PUT', '/v1/products/P-2', { as: { sub: 'a', roles: ['admin'] }, body: airdopes })).toMatchObject({ status: 201 })
  })
})

describe('stock', () => {
  it('is received and adjusted', async () => {
    await call('PUT', '/v1/products/S-1', { as: merchant, body: airdopes })
    const move = (body: unknown) => call('POST', '/v1/products/S-1/stock', { as: merchant, body })
    expect(await move({ received: 10 })).toMatchObject({ status: 200, body: { sku: 'S-1', onHand: 10, reserved: 0, available: 10 } })
    expect(await move({ adjusted: -3, reason: 'broken' })).toMatchObject({ status: 200, headers: { etag: '"2"' }, body: { onHand: 7 } })
    expect(await move({ adjusted: -8, reason: 'broken' })).toMatchObject({ status: 422, body: { type: '/problems/insufficient-stock' } })
    await eventually('both are published', () => running.heardOf('StockChanged', 'S-1').length === 2)
  })

  it('is received once per key', async () => {
    await call('PUT', '/v1/products/S-2', { as: merchant, body: airdopes })
    const receive = { as: merchant, body: { received: 5 }, headers: { 'idempotency-key': 'truck-1' } }
    const answers = await Promise.all(Array.from({ length: 5 }, () => call('POST', '/v1/products/S-2/stock', receive)))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers[0]?.body).toMatchObject({ onHand: 5 })
  })

  it('is not there for a product that is not, whatever else is wrong', async () => {
    const move = (body: unknown, headers: Record<string, string> = {}) =>
      call('POST', '/v1/products/NO-1/stock', { as: merchant, body, headers })
    expect(await move({ received: 1 })).toMatchObject({ status: 404 })
    expect(await move({ surprise: 1 })).toMatchObject({ status: 404 })
    expect(await move({ received: 1 }, { 'idempotency-key': 'a b' })).toMatchObject({ status: 404 })
    expect(await move({ received: 1 }, { 'if-match': '"7"' })).toMatchObject({ status: 404 })
  })
})

describe('the development issuer', () => {
  it('is there where it is enabled', async () => {
    const issuing = await RunningApp.start({ DEV_ISSUER: 'true' })
    try {
      const body = { sub: 'm-9', roles: ['merchant'] }
      expect(await issuing.call('POST', '/v1/dev/token', { body })).toMatchObject({ status: 200, body: { expiresIn: 3_600 } })
      expect(await issuing.call('GET', '/v1/dev/jwks')).toMatchObject({ status: 200, body: { keys: [{ alg: 'ES256' }] } })
    } finally {
      await issuing.close()
    }
  })

  it('is not there otherwise', async () => {
    expect(await call('POST', '/v1/dev/token', { body: { sub: 'm-9', roles: ['merchant'] } })).toMatchObject({ status: 404 })
  })
})

describe('what is published', () => {
  it('keeps its contracts', () => {
    expect(new Set(running.heard.map(({ type }) => type))).toEqual(new Set(['ProductChanged', 'StockChanged']))
    expect(running.brokenContracts()).toEqual([])
  })
})
