import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { SealedText } from '#event-store'
import { eventually } from '#kernel/testing'
import { twoAirdopes } from '#order-http/testing'
import { ConsistencyToken } from '#platform'
import { address, airdopes, asha, basket, merchant, placing, ravi } from '../testing/examples.js'
import { RunningApp, type Answer } from '../testing/running-app.js'

let running: RunningApp
const call: RunningApp['call'] = (...args) => running.call(...args)

beforeAll(async () => {
  running = await RunningApp.start()
  await call('PUT', '/v1/products/BOAT-141', { as: merchant, body: airdopes })
})
afterAll(() => running?.close(), 30_000)

const place = async (): Promise<Answer & { orderId: string }> => {
  const answer = await call('POST', '/v1/orders', placing())
  expect(answer.status).toBe(201)
  return { ...answer, orderId: String(answer.body['orderId']) }
}

describe('placing an order', () => {
  it('answers the whole order', async () => {
    const { status, headers, body, orderId } = await place()
    expect(status).toBe(201)
    expect(headers).toMatchObject({ location: `/v1/orders/${orderId}`, etag: '"1"' })
    expect(ConsistencyToken.parse(String(headers['consistency-token'])).streams).toEqual({ [`order-${orderId}`]: 1 })
    expect(body).toEqual({
      orderId,
      customerId: asha.sub,
      status: 'PLACED',
      shippingAddress: address,
      ...twoAirdopes,
      placedAt: body['placedAt'],
      updatedAt: body['placedAt'],
      version: 1,
    })
  })

  it('publishes it with the address and the instrument sealed', async () => {
    const body = basket({ payment: { method: 'upi', vpa: 'asha.rao@okbank' }, device: { id: 'phone-1' } })
    const answer = await call('POST', '/v1/orders', placing(body))
    expect(answer.body['payment']).toMatchObject({ method: 'upi', flow: 'collect', display: 'as…@okbank' })
    const orderId = String(answer.body['orderId'])
    await eventually('it is published', () => running.heardOf('OrderPlaced', orderId).length > 0)
    const [message] = running.heardOf('OrderPlaced', orderId)
    expect(JSON.stringify(message?.data)).not.toMatch(/Asha|MG Road|9876543210|asha\.rao|phone-1/)
    const { shippingAddress, payment, version } = (message?.data ?? {}) as unknown as {
      shippingAddress: SealedText
      payment: { instrument: SealedText }
      version: number
    }
    expect(version).toBe(1)
    const [opened, instrument] = await running.subjectKeys.openAll([shippingAddress, payment.instrument])
    expect(JSON.parse(opened ?? '')).toEqual(address)
    expect(instrument).toBe('asha.rao@okbank')
    expect(shippingAddress.subject).toBe(asha.sub)
  })

  it('lets equal addresses and devices be seen to be equal, however they are written', async () => {
    const hashes = async (more: object) => {
      const { body } = await call('POST', '/v1/orders', placing(basket(more)))
      const orderId = String(body['orderId'])
      await eventually('it is published', () => running.heardOf('OrderPlaced', orderId).length > 0)
      const { addressHash, deviceHash } = running.heardOf('OrderPlaced', orderId)[0]?.data ?? {}
      return { addressHash, deviceHash }
    }
    const one = await hashes({ device: { id: 'phone-1' } })
    const same = await hashes({
      device: { id: 'phone-1' },
      shippingAddress: { ...address, name: 'A. Rao', line1: '14, mg  road', city: 'BENGALURU' },
    })
    const other = await hashes({ device: { id: 'phone-2' }, shippingAddress: { ...address, line1: '15 MG Road' } })
    expect(same).toEqual(one)
    expect(other.addressHash).not.toBe(one.addressHash)
    expect(other.deviceHash).not.toBe(one.deviceHash)
  })

  it('takes each method that is offered', async () => {
    const methods = [
      { method: 'upi', vpa: 'success@upi', flow: 'intent' },
      { method: 'card', token: 'tok_success' },
      { method: 'netbanking', bankCode: 'SBOX_SUCCESS' },
      { method: 'cod' },
      {
        method: 'split',
        walletId: '0190a000-0000-7000-8000-0000000000aa',
        amount: { amount: '100', currency: 'INR' },
        other: { method: 'upi', vpa: 'success@upi' },
      },
    ]
    for (const payment of methods) expect(await call('POST', '/v1/orders', placing(basket({ payment })))).toMatchObject({ status: 201 })
  })

  it('charges IGST to another state, whose old letters become the new ones', async () => {
    const { body } = await call('POST', '/v1/orders', placing(basket({ shippingAddress: { ...address, state: 'OR' } })))
    expect(body).toMatchObject({
      shippingAddress: { state: 'OD' },
      totals: { gst: { cgst: { amount: '0' }, sgst: { amount: '0' }, igst: { amount: '45732' } } },
    })
  })

  it('refuses an unknown product, and keeps the refusal', async () => {
    const order = placing(basket({ items: [{ sku: 'NO-1', quantity: 1 }] }))
    const first = await call('POST', '/v1/orders', order)
    expect(first).toMatchObject({ status: 422, body: { type: '/problems/unknown-product' } })
    const second = await call('POST', '/v1/orders', order)
    expect(second.text).toBe(first.text)
    expect(second.headers['idempotency-replayed']).toBe('true')
  })

  it('is for customers, with a key', async () => {
    expect(await call('POST', '/v1/orders', { ...placing(), as: merchant })).toMatchObject({ status: 403 })
    expect(await call('POST', '/v1/orders', { as: asha, body: basket() })).toMatchObject({ status: 400 })
  })

  it('sent 50 times at once with one key is one order, with 50 equal answers', async () => {
    const order = placing(basket(), 'fifty')
    const answers = await Promise.all(Array.from({ length: 50 }, () => call('POST', '/v1/orders', order)))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(
      new Set(answers.map(({ status, headers }) => `${status} ${headers['etag']} ${headers['location']} ${headers['consistency-token']}`))
        .size,
    ).toBe(1)
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(49)
    expect(await call('POST', '/v1/orders', placing(basket({ items: [{ sku: 'BOAT-141', quantity: 3 }] }), 'fifty'))).toMatchObject({
      status: 422,
      body: { type: '/problems/idempotency-key-reused' },
    })
  })
})

describe('cancelling an order', () => {
  it('is the owner’s, at once and once', async () => {
    const { orderId } = await place()
    const cancelled = await call('POST', `/v1/orders/${orderId}/cancel`, { as: asha, body: { reason: 'Ordered twice' } })
    expect(cancelled).toMatchObject({
      status: 200,
      headers: { etag: '"2"' },
      body: {
        status: 'CANCELLED',
        cancellation: { reason: 'customer', note: 'Ordered twice', by: asha.sub },
        shippingAddress: address,
        version: 2,
      },
    })
    expect(await call('POST', `/v1/orders/${orderId}/cancel`, { as: asha })).toMatchObject({
      status: 409,
      body: { type: '/problems/invalid-transition' },
    })
    await eventually('it is published', () => running.heardOf('OrderCancelled', orderId).length === 1)
    expect(running.heardOf('OrderCancelled', orderId)[0]?.data).toMatchObject({
      customerId: asha.sub,
      by: asha.sub,
      reason: 'customer',
      note: { subject: asha.sub, ciphertext: expect.any(String) },
      wasConfirmed: false,
      items: [{ sku: 'BOAT-141', quantity: 2 }],
      version: 2,
    })
  })

  it('is the merchant’s too, who does not see where it goes', async () => {
    const { orderId } = await place()
    const { status, body } = await call('POST', `/v1/orders/${orderId}/cancel`, { as: merchant, body: {} })
    expect(status).toBe(200)
    expect(body).toMatchObject({ cancellation: { reason: 'merchant', by: merchant.sub } })
    expect(body).not.toHaveProperty('shippingAddress')
  })

  it('is nobody else’s', async () => {
    const { orderId } = await place()
    expect(await call('POST', `/v1/orders/${orderId}/cancel`, { as: ravi })).toMatchObject({ status: 404 })
    expect(await call('POST', `/v1/orders/${orderId}/cancel`, { as: { sub: 's', roles: ['support'] } })).toMatchObject({ status: 403 })
    const unknown = '0190a000-0000-7000-8000-00000000dead'
    expect(await call('POST', `/v1/orders/${unknown}/cancel`, { as: merchant })).toMatchObject({ status: 404 })
    expect(await call('POST', '/v1/orders/not-a-uuid/cancel', { as: merchant })).toMatchObject({ status: 404 })
  })

  it('needs the version that the caller believes in', async () => {
    const { orderId } = await place()
    const cancel = (version: string) => call('POST', `/v1/orders/${orderId}/cancel`, { as: asha, headers: { 'if-match': version } })
    expect(await cancel('"2"')).toMatchObject({ status: 412 })
    expect(await cancel('"1"')).toMatchObject({ status: 200 })
  })
})

describe('what is published', () => {
  it('keeps its contracts', () => {
    expect(new Set(running.heard.map(({ type }) => type))).toEqual(new Set(['ProductChanged', 'OrderPlaced', 'OrderCancelled']))
    expect(running.brokenContracts()).toEqual([])
  })
})
