import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CancelOrder, ConfirmOrder, CONTRACTS, ReleaseStock, ReserveStock, StartReview, type CommandAnsweredData } from '#contracts'
import { masterKeyOf, openSealed, type SealedText } from '#event-store'
import type { OutgoingMessage } from '#kernel'
import { seededRandom } from '#kernel/testing'
import { eventually } from '#messaging/testing'
import { ConsistencyToken } from '#platform'
import { address, airdopes, asha, basket, merchant, placing, ravi } from './testing/examples.js'
import { MASTER_KEY, RunningApp, type Answer } from './testing/running-app.js'

let running: RunningApp
const call: RunningApp['call'] = (...args) => running.call(...args)

beforeAll(async () => {
  running = await RunningApp.start()
  await call('PUT', '/v1/products/BOAT-141', { as: merchant, body: airdopes })
}, 60_000)
afterAll(() => running?.close(), 30_000)

const context = { correlationId: 'o', causationId: 'saga' }
let commandIds = 0
const newId = () => `saga-1:${++commandIds}`

/** Sends a command and waits for as many answers as are told. */
const ask = async (message: OutgoingMessage, answers = 1): Promise<CommandAnsweredData> => {
  await running.send(message)
  const mine = () =>
    running
      .heardOf('CommandAnswered')
      .map(({ data }) => data as unknown as CommandAnsweredData)
      .filter(({ commandId }) => commandId === message.id)
  await eventually(`${answers} answers to ${message.type}`, () => mine().length >= answers)
  const [first, ...others] = mine()
  if (!first) throw new Error('no answer')
  for (const other of others) expect(other).toEqual(first)
  expect(mine()).toHaveLength(answers)
  return first
}

const place = async (): Promise<Answer & { orderId: string }> => {
  const answer = await call('POST', '/v1/orders', placing())
  expect(answer.status).toBe(201)
  return { ...answer, orderId: String(answer.body['orderId']) }
}

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

  it('is not there for a product that is not', async () => {
    expect(await call('POST', '/v1/products/NO-1/stock', { as: merchant, body: { received: 1 } })).toMatchObject({ status: 404 })
  })
})

describe('placing an order', () => {
  it('answers the whole order', async () => {
    const { status, headers, body, orderId } = await place()
    expect(status).toBe(201)
    expect(headers).toMatchObject({ location: `/v1/orders/${orderId}`, etag: '"1"' })
    expect(ConsistencyToken.parse(String(headers['consistency-token'])).streams).toEqual({ [`order-${orderId}`]: 1 })
    const inr = (amount: string) => ({ amount, currency: 'INR' })
    expect(body).toEqual({
      orderId,
      customerId: asha.sub,
      status: 'PLACED',
      items: [
        {
          sku: 'BOAT-141',
          title: 'boAt Airdopes 141',
          category: 'audio',
          quantity: 2,
          unitPrice: inr('149900'),
          gstRate: 18,
          hsn: '8518',
          lineTotal: inr('299800'),
          gst: { cgst: inr('22866'), sgst: inr('22866'), igst: inr('0') },
        },
      ],
      shippingAddress: address,
      totals: {
        subtotal: inr('299800'),
        gst: { cgst: inr('22866'), sgst: inr('22866'), igst: inr('0') },
        shipping: inr('0'),
        grandTotal: inr('299800'),
      },
      payment: {
        method: 'wallet',
        walletId: '0190a000-0000-7000-8000-0000000000aa',
        status: 'RUNNING',
        amount: inr('299800'),
        authorised: inr('0'),
        captured: inr('0'),
        refunded: inr('0'),
      },
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
    const { shippingAddress, payment, version } = message?.data as unknown as {
      shippingAddress: SealedText
      payment: { instrument: SealedText }
      version: number
    }
    expect(version).toBe(1)
    const key = masterKeyOf(MASTER_KEY)
    expect(JSON.parse(openSealed(key, shippingAddress) ?? '')).toEqual(address)
    expect(openSealed(key, payment.instrument)).toBe('asha.rao@okbank')
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
      note: 'Ordered twice',
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

describe('the saga’s commands', () => {
  const replyTo = 'saga-1'

  it('put an order under review and confirm it', async () => {
    const { orderId } = await place()
    expect(await ask(StartReview.message(orderId, { replyTo, orderId }, context, newId()))).toMatchObject({
      replyTo,
      command: 'StartReview',
      outcome: 'accepted',
    })
    expect(await ask(ConfirmOrder.message(orderId, { replyTo, orderId }, context, newId()))).toMatchObject({ outcome: 'accepted' })
    await eventually('both are published', () => running.heardOf('OrderConfirmed', orderId).length === 1)
    expect(running.heardOf('OrderReviewStarted', orderId)[0]?.data).toMatchObject({ version: 2, by: 'app:payment-saga' })
    expect(running.heardOf('OrderConfirmed', orderId)[0]?.data).toMatchObject({ version: 3, customerId: asha.sub })
    expect(running.heardOf('CommandAnswered', replyTo).every(({ context: { correlationId } }) => correlationId === 'o')).toBe(true)
  })

  it('are refused where the customer was first', async () => {
    const { orderId } = await place()
    await call('POST', `/v1/orders/${orderId}/cancel`, { as: asha })
    expect(await ask(ConfirmOrder.message(orderId, { replyTo, orderId }, context, newId()))).toMatchObject({
      outcome: 'refused',
      slug: 'invalid-transition',
    })
    const giveUp = CancelOrder.message(orderId, { replyTo, orderId, reason: 'payment-declined' }, context, newId())
    expect(await ask(giveUp)).toMatchObject({ outcome: 'accepted' })
    await eventually('cancelled once', () => running.heardOf('OrderCancelled', orderId).length >= 1)
    expect(running.heardOf('OrderCancelled', orderId)).toHaveLength(1)
  })

  it('sent again are answered again, and take effect once', async () => {
    const { orderId } = await place()
    const confirm = ConfirmOrder.message(orderId, { replyTo, orderId }, context, newId())
    await ask(confirm)
    await ask(confirm, 2)
    await ask(confirm, 3)
    await eventually('it is published', () => running.heardOf('OrderConfirmed', orderId).length >= 1)
    expect(running.heardOf('OrderConfirmed', orderId)).toHaveLength(1)
  })

  it('about no order are refused', async () => {
    const orderId = '0190a000-0000-7000-8000-00000000dead'
    expect(await ask(ConfirmOrder.message(orderId, { replyTo, orderId }, context, newId()))).toMatchObject({ slug: 'unknown-order' })
  })

  it('reserve all lines or none, release, and remember the release', async () => {
    for (const [sku, received] of [
      ['R-1', 5],
      ['R-2', 1],
    ] as const) {
      await call('PUT', `/v1/products/${sku}`, { as: merchant, body: airdopes })
      await call('POST', `/v1/products/${sku}/stock`, { as: merchant, body: { received } })
    }
    const lines = (first: number, second: number) => [
      { sku: 'R-1', quantity: first },
      { sku: 'R-2', quantity: second },
    ]
    const reserve = (orderId: string, first: number, second: number) =>
      ask(ReserveStock.message(orderId, { replyTo, orderId, lines: lines(first, second) }, context, newId()))
    const release = (orderId: string) => ask(ReleaseStock.message(orderId, { replyTo, orderId, lines: lines(2, 1) }, context, newId()))
    const levels = async (sku: string) => {
      const { body } = await call('POST', `/v1/products/${sku}/stock`, { as: merchant, body: { received: 1 } })
      return [body['onHand'], body['reserved']]
    }

    expect(await reserve('o-1', 2, 2)).toMatchObject({ outcome: 'refused', slug: 'out-of-stock', detail: 'R-2: 1 available, 2 asked for' })
    expect(await reserve('o-1', 2, 1)).toMatchObject({ outcome: 'accepted' })
    expect(await reserve('o-1', 2, 1)).toMatchObject({ outcome: 'accepted' })
    expect(await levels('R-1')).toEqual([6, 2])
    expect(await release('o-1')).toMatchObject({ outcome: 'accepted' })
    expect(await release('o-1')).toMatchObject({ outcome: 'accepted' })
    expect(await levels('R-1')).toEqual([7, 0])
    expect(await reserve('o-1', 2, 1)).toMatchObject({ outcome: 'refused', slug: 'reservation-released' })
    expect(await release('o-2')).toMatchObject({ outcome: 'accepted' })
    expect(await reserve('o-2', 1, 1)).toMatchObject({ outcome: 'refused', slug: 'reservation-released' })
    expect(await levels('R-2')).toEqual([2, 0])
  })
})

describe('reservations and releases in disorder', () => {
  it('leave what the orders hold, and no more', async () => {
    const skus = ['D-1', 'D-2', 'D-3']
    for (const sku of skus) {
      await call('PUT', `/v1/products/${sku}`, { as: merchant, body: airdopes })
      await call('POST', `/v1/products/${sku}/stock`, { as: merchant, body: { received: 40 } })
    }
    const random = seededRandom(20_261_101)
    const below = (n: number) => Math.floor(random.next() * n)
    // Of 60 orders, each reserves; most release too, some before they reserve; and any command may be sent twice.
    const wanted = Array.from({ length: 60 }, (_, n) => ({
      orderId: `d-${n}`,
      lines: skus.slice(below(3)).map((sku) => ({ sku, quantity: 1 + below(2) })),
    }))
    const messages = wanted.flatMap(({ orderId, lines }) => {
      const data = { replyTo: 'disorder', orderId, lines }
      const reserve = ReserveStock.message(orderId, data, context, `${orderId}:reserve`)
      const release = ReleaseStock.message(orderId, data, context, `${orderId}:release`)
      const order = [[reserve], [reserve, release], [release, reserve], [reserve, reserve, release, release, reserve]][below(4)] ?? []
      return order
    })
    await running.send(...messages)
    const answers = () => running.heardOf('CommandAnswered', 'disorder').map(({ data }) => data as unknown as CommandAnsweredData)
    await eventually('every message is answered', () => answers().length >= messages.length)
    expect(answers()).toHaveLength(messages.length)

    const outcomeOf = (id: string) =>
      new Set(
        answers()
          .filter(({ commandId }) => commandId === id)
          .map(({ outcome, slug }) => slug ?? outcome),
      )
    const sent = new Set(messages.map(({ id }) => id))
    const held = new Map(skus.map((sku) => [sku, 0]))
    for (const { orderId, lines } of wanted) {
      expect(outcomeOf(`${orderId}:reserve`).size).toBe(1)
      if (sent.has(`${orderId}:release`) || !outcomeOf(`${orderId}:reserve`).has('accepted')) continue
      for (const { sku, quantity } of lines) held.set(sku, (held.get(sku) ?? 0) + quantity)
    }
    for (const sku of skus) {
      const { body } = await call('POST', `/v1/products/${sku}/stock`, { as: merchant, body: { received: 1 } })
      expect(body).toEqual({ sku, onHand: 41, reserved: held.get(sku), available: 41 - (held.get(sku) ?? 0) })
    }
  })
})

describe('a flash sale', () => {
  it('of 100 units to 2,000 orders sells exactly 100', async () => {
    await call('PUT', '/v1/products/HOT-1', { as: merchant, body: airdopes })
    await call('POST', '/v1/products/HOT-1/stock', { as: merchant, body: { received: 100 } })
    const lines = [{ sku: 'HOT-1', quantity: 1 }]
    const messages = Array.from({ length: 2_000 }, (_, n) =>
      ReserveStock.message(`hot-${n}`, { replyTo: 'sale', orderId: `hot-${n}`, lines }, context, `sale:${n}`),
    )
    await running.send(...messages)
    const answers = () => running.heardOf('CommandAnswered', 'sale')
    await eventually('2,000 answers', () => answers().length >= 2_000, 30_000)
    expect(answers().filter(({ data }) => data['outcome'] === 'accepted')).toHaveLength(100)
    expect(answers().filter(({ data }) => data['slug'] === 'out-of-stock')).toHaveLength(1_900)
    const { body } = await call('POST', '/v1/products/HOT-1/stock', { as: merchant, body: { received: 1 } })
    expect(body).toMatchObject({ onHand: 101, reserved: 100, available: 1 })
  }, 60_000)
})

describe('what is published', () => {
  it('keeps its contracts', () => {
    const contracts = new Map(CONTRACTS.map((contract) => [contract.type, contract]))
    const types = new Set(running.heard.map(({ type }) => type))
    expect([...types].sort()).toEqual([
      'CommandAnswered',
      'OrderCancelled',
      'OrderConfirmed',
      'OrderPlaced',
      'OrderReviewStarted',
      'ProductChanged',
      'StockChanged',
    ])
    for (const { type, topic, data } of running.heard) {
      expect(contracts.get(type)?.topic).toBe(topic)
      expect(() => contracts.get(type)?.parse(data)).not.toThrow()
    }
  })
})
