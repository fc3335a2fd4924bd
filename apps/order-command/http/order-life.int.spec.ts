import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ConfirmOrder, ReleaseStock, ReserveStock } from '#contracts'
import { eventually } from '#kernel/testing'
import { address, airdopes, asha, basket, merchant, placing, ravi } from '../testing/examples.js'
import { RunningApp, type Answer } from '../testing/running-app.js'

let running: RunningApp
const call: RunningApp['call'] = (...args) => running.call(...args)

beforeAll(async () => {
  running = await RunningApp.start()
  await call('PUT', '/v1/products/BOAT-141', { as: merchant, body: airdopes })
  await call('POST', '/v1/products/BOAT-141/stock', { as: merchant, body: { received: 100 } })
})
afterAll(() => running?.close(), 30_000)

const lines = [{ sku: 'BOAT-141', quantity: 2 }]
const replyTo = 'saga-1'
const context = { correlationId: 'o', causationId: 'saga' }
const inr = (amount: string) => ({ amount, currency: 'INR' })
const shipment = { carrier: 'Delhivery', trackingNumber: 'DL123456789IN' }
const GOES_ON = [
  ['pack', {}],
  ['ship', shipment],
  ['out-for-delivery', {}],
  ['deliver', {}],
] as const

const post = (
  orderId: string,
  action: string,
  body: unknown = {},
  as: { sub: string; roles: readonly ('customer' | 'merchant')[] } = merchant,
) => call('POST', `/v1/orders/${orderId}/${action}`, { as, body })

/** What the saga does until an order is confirmed. */
const confirmed = async (payment: object = { method: 'cod' }): Promise<string> => {
  const orderId = String((await call('POST', '/v1/orders', placing(basket({ payment })))).body['orderId'])
  await running.send(
    ReserveStock.message(orderId, { replyTo, orderId, lines }, context, `${orderId}:reserve`),
    ConfirmOrder.message(orderId, { replyTo, orderId }, context, `${orderId}:confirm`),
  )
  const answered = () => running.heardOf('CommandAnswered').filter(({ data }) => String(data['commandId']).startsWith(orderId)).length
  await eventually('it is reserved and confirmed', () => answered() === 2)
  return orderId
}

const goOn = async (orderId: string, steps: number): Promise<Answer | undefined> => {
  let last: Answer | undefined
  for (const [action, body] of GOES_ON.slice(0, steps)) {
    last = await post(orderId, action, body)
    expect([action, last.status]).toEqual([action, 200])
  }
  return last
}

const stock = async () => (await call('POST', '/v1/products/BOAT-141/stock', { as: merchant, body: { adjusted: 1, reason: 'count' } })).body
const levels = async () => {
  const { onHand, reserved } = await stock()
  await call('POST', '/v1/products/BOAT-141/stock', { as: merchant, body: { adjusted: -1, reason: 'count' } })
  return { onHand: Number(onHand) - 1, reserved: Number(reserved) }
}

describe('an order after payment', () => {
  it('is packed, shipped out of the stock, sent out and delivered; cash is collected with it', async () => {
    const before = await levels()
    const orderId = await confirmed()
    expect(await levels()).toEqual({ ...before, reserved: before.reserved + 2 })
    await goOn(orderId, 1)
    const shipped = await post(orderId, 'ship', shipment)
    expect(shipped).toMatchObject({
      status: 200,
      headers: { etag: '"4"' },
      body: { status: 'SHIPPED', shipment: { ...shipment, shippedAt: shipped.body['updatedAt'] }, payment: { method: 'cod' }, version: 4 },
    })
    expect(shipped.body).not.toHaveProperty('shippingAddress')
    expect(await levels()).toEqual({ ...before, onHand: before.onHand - 2 })
    await post(orderId, 'out-for-delivery')
    expect(await post(orderId, 'deliver')).toMatchObject({ status: 200, body: { status: 'DELIVERED', version: 6 } })
    await eventually('it is published', () => running.heardOf('OrderDelivered', orderId).length === 1)
    expect(running.heardOf('OrderDelivered', orderId)[0]?.data).toMatchObject({
      customerId: asha.sub,
      by: merchant.sub,
      method: 'cod',
      collected: '299800',
      version: 6,
    })
    const stockMoves = running.heardOf('StockChanged', 'BOAT-141').map(({ data }) => data['onHand'])
    expect(stockMoves).toContain(before.onHand - 2)
  })

  it('that is paid already has nothing to collect', async () => {
    const orderId = await confirmed({ method: 'wallet', walletId: '0190a000-0000-7000-8000-0000000000aa' })
    await goOn(orderId, 4)
    await eventually('it is published', () => running.heardOf('OrderDelivered', orderId).length === 1)
    expect(running.heardOf('OrderDelivered', orderId)[0]?.data).toMatchObject({ method: 'wallet', collected: '0' })
  })

  it('goes no other way, and none twice', async () => {
    const orderId = await confirmed()
    for (let done = 0; done <= GOES_ON.length; done++) {
      for (const [turn, [action, body]] of GOES_ON.entries()) {
        if (turn === done) continue
        const refused = await post(orderId, action, body)
        expect([done, action, refused.status, refused.body['type']]).toEqual([done, action, 409, '/problems/invalid-transition'])
      }
      const [next] = GOES_ON.slice(done)
      if (next) expect((await post(orderId, next[0], next[1])).status).toBe(200)
    }
  })

  it('can be cancelled until it is shipped, which gives its stock back, and not after', async () => {
    const before = await levels()
    const orderId = await confirmed()
    await goOn(orderId, 1)
    expect(await post(orderId, 'cancel', {}, asha)).toMatchObject({ status: 200, body: { status: 'CANCELLED' } })
    await eventually('it is published', () => running.heardOf('OrderCancelled', orderId).length === 1)
    expect(running.heardOf('OrderCancelled', orderId)[0]?.data).toMatchObject({ wasConfirmed: true, items: lines })
    await running.send(ReleaseStock.message(orderId, { replyTo, orderId, lines }, context, `${orderId}:release`))
    await eventually('it is released', async () => (await levels()).reserved === before.reserved)
    expect(await post(orderId, 'ship', shipment)).toMatchObject({ status: 409 })
    const shipped = await confirmed()
    await goOn(shipped, 2)
    expect(await post(shipped, 'cancel', {}, asha)).toMatchObject({ status: 409, body: { type: '/problems/invalid-transition' } })
    expect(await levels()).toEqual({ ...before, onHand: before.onHand - 2 })
  })

  it('cannot be cancelled by anybody while it is out for delivery, nor once it is delivered, and nothing of it changes', async () => {
    const before = await levels()
    const orderId = await confirmed()
    await goOn(orderId, 3)
    const refused = async (status: string) => {
      for (const as of [asha, merchant])
        expect(await post(orderId, 'cancel', {}, as)).toMatchObject({
          status: 409,
          body: { type: '/problems/invalid-transition', detail: `an order that is ${status} cannot be cancelled` },
        })
      expect(await levels()).toEqual({ ...before, onHand: before.onHand - 2 })
    }
    await refused('OUT_FOR_DELIVERY')
    expect(await post(orderId, 'deliver')).toMatchObject({
      status: 200,
      headers: { etag: '"6"' },
      body: { status: 'DELIVERED', version: 6 },
    })
    await refused('DELIVERED')
    const wanted = { items: [{ sku: 'BOAT-141', quantity: 1 }], reason: 'It is silent' }
    expect(await post(orderId, 'return', wanted, asha)).toMatchObject({ status: 200, body: { status: 'RETURN_REQUESTED', version: 7 } })
    // What came before it on its stream is published before it.
    await eventually('it is published', () => running.heardOf('OrderReturnRequested', orderId).length === 1)
    expect(running.heardOf('OrderCancelled', orderId)).toEqual([])
  })

  it('shipped many times at once leaves the warehouse once', async () => {
    const before = await levels()
    const orderId = await confirmed()
    await goOn(orderId, 1)
    const answers = await Promise.all(Array.from({ length: 16 }, () => post(orderId, 'ship', shipment)))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 15 }, () => 409)])
    expect(await levels()).toEqual({ ...before, onHand: before.onHand - 2 })
  })

  it('without a reservation is not shipped', async () => {
    const orderId = String((await call('POST', '/v1/orders', placing())).body['orderId'])
    await running.send(ConfirmOrder.message(orderId, { replyTo, orderId }, context, `${orderId}:confirm`))
    await eventually('it is confirmed', () => running.heardOf('OrderConfirmed', orderId).length === 1)
    await goOn(orderId, 1)
    expect(await post(orderId, 'ship', shipment)).toMatchObject({ status: 409, body: { type: '/problems/nothing-reserved' } })
  })

  it('is the merchant’s to move, and any id that is no order is none', async () => {
    const orderId = await confirmed()
    for (const action of ['pack', 'ship', 'out-for-delivery', 'deliver', 'return/accept']) {
      expect([action, (await post(orderId, action, {}, asha)).status]).toEqual([action, 403])
      expect([action, (await post('0190a000-0000-7000-8000-00000000dead', action)).status]).toEqual([action, 404])
    }
  })

  it('names what is wrong with a shipment', async () => {
    const orderId = await confirmed()
    const wrong = async (body: unknown) => {
      const { status, body: problem } = await post(orderId, 'ship', body)
      return [status, ...((problem['errors'] ?? []) as { pointer: string }[]).map(({ pointer }) => pointer)]
    }
    expect(await wrong({})).toEqual([400, '/carrier', '/trackingNumber'])
    expect(await wrong({ ...shipment, carrier: 'x'.repeat(101) })).toEqual([400, '/carrier'])
    expect(await wrong({ ...shipment, trackingNumber: 'a b' })).toEqual([400, '/trackingNumber'])
    expect(await wrong({ ...shipment, eta: 'soon' })).toEqual([400, '/eta'])
    expect((await post(orderId, 'pack', { carrier: 'x' })).status).toBe(400)
  })
})

describe('giving goods back', () => {
  const wanted = { items: [{ sku: 'BOAT-141', quantity: 1 }], reason: 'The left bud of Asha is silent' }

  it('is asked for by the owner and accepted by the merchant: then it is in stock, and what is owed is told', async () => {
    const orderId = await confirmed()
    await goOn(orderId, 4)
    const before = await levels()
    const asked = await post(orderId, 'return', wanted, asha)
    expect(asked).toMatchObject({
      status: 200,
      body: { status: 'RETURN_REQUESTED', return: { ...wanted, requestedAt: asked.body['updatedAt'] }, shippingAddress: address },
    })
    expect(await levels()).toEqual(before)
    const accepted = await post(orderId, 'return/accept')
    expect(accepted).toMatchObject({
      status: 200,
      headers: { etag: '"8"' },
      body: { status: 'RETURNED', return: { ...wanted, acceptedAt: accepted.body['updatedAt'], refund: inr('149900') } },
    })
    expect(accepted.body).not.toHaveProperty('shippingAddress')
    expect(await levels()).toEqual({ ...before, onHand: before.onHand + 1 })
    await eventually('it is published', () => running.heardOf('OrderReturned', orderId).length === 1)
    const gst = { cgst: '11433', sgst: '11433', igst: '0' }
    expect(running.heardOf('OrderReturned', orderId)[0]?.data).toMatchObject({
      items: [{ ...wanted.items[0], amount: '149900', gst }],
      refund: '149900',
      gst,
      method: 'cod',
    })
    expect(JSON.stringify(running.heard.map(({ data }) => data))).not.toContain('left bud')
    expect(await post(orderId, 'return/accept')).toMatchObject({ status: 409 })
    expect(await post(orderId, 'return', wanted, asha)).toMatchObject({ status: 409 })
  })

  it('is of a delivered order, of what was ordered, and its owner’s alone', async () => {
    const orderId = await confirmed()
    await goOn(orderId, 3)
    expect(await post(orderId, 'return', wanted, asha)).toMatchObject({ status: 409, body: { type: '/problems/invalid-transition' } })
    await post(orderId, 'deliver')
    expect(await post(orderId, 'return', wanted, ravi)).toMatchObject({ status: 404 })
    expect(await post(orderId, 'return', wanted, merchant)).toMatchObject({ status: 403 })
    expect(await post(orderId, 'return', wanted, { sub: merchant.sub, roles: ['customer', 'merchant'] })).toMatchObject({ status: 404 })
    for (const items of [[{ sku: 'BOAT-141', quantity: 3 }], [{ sku: 'NO-1', quantity: 1 }]])
      expect(await post(orderId, 'return', { ...wanted, items }, asha)).toMatchObject({
        status: 422,
        body: { type: '/problems/return-exceeds-order' },
      })
    for (const body of [{ ...wanted, items: [] }, { items: wanted.items }, { ...wanted, items: [wanted.items[0], wanted.items[0]] }])
      expect(await post(orderId, 'return', body, asha)).toMatchObject({ status: 400 })
    expect(await post(orderId, 'return', wanted, asha)).toMatchObject({ status: 200 })
  })
})

describe('a repeat', () => {
  it('without a body is as one with an empty object', async () => {
    const orderId = await confirmed()
    const headers = { 'idempotency-key': `cancel-${orderId}` }
    const first = await call('POST', `/v1/orders/${orderId}/cancel`, { as: asha, headers })
    const second = await call('POST', `/v1/orders/${orderId}/cancel`, { as: asha, headers, body: {} })
    expect([first.status, second.status, second.text]).toEqual([200, 200, first.text])
    expect(second.headers['idempotency-replayed']).toBe('true')
    expect(await call('POST', `/v1/orders/${orderId}/cancel`, { as: asha, headers, body: { reason: 'x' } })).toMatchObject({ status: 422 })
  })
})

describe('what is published', () => {
  it('keeps its contracts', () => {
    expect(running.brokenContracts()).toEqual([])
  })
})
