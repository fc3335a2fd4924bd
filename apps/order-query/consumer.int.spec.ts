import { OrderConfirmed } from '#contracts'
import { eventually } from '#kernel/testing'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { INCARNATION, incoming, messages, orderId } from './testing/messages.js'
import { openWorld, type GetOptions, type World } from './testing/world.js'

const own: GetOptions = { as: ['c-1', 'customer'] }

describe('order-query on the log', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
    await world.app.startAllMicroservices()
    await world.app.init()
  })
  afterAll(() => world.close())

  it('lets a reader with a token see what was just published', async () => {
    const number = 1
    await world.publish(
      messages.payment({ orderId: orderId(number) }),
      messages.placed({ orderId: orderId(number) }),
      messages.product({ sku: 'LOGGED' }),
      messages.stock({ sku: 'LOGGED', version: 1, available: 3 }),
    )
    const token = { incarnation: INCARNATION, streams: { [`order-${orderId(number)}`]: 1, 'product-LOGGED': 1, 'stock-LOGGED': 1 } }
    // On a busy machine the consumers may need more than one wait to begin: 503 says to ask again.
    await eventually('the reader sees it', async () => {
      const { status, body } = await world.get(`/v1/orders/${orderId(number)}`, { ...own, token })
      if (status === 503) return false
      expect([status, body['status']]).toEqual([200, 'PLACED'])
      return true
    })
    expect((await world.get('/v1/products/LOGGED', { token })).body['available']).toBe(3)
    // It has no relay.
    expect((await world.get('/health/ready')).body).toEqual({ status: 'ok', checks: { database: 'ok', consumer: 'ok' } })
    expect((await world.get('/health/ready?of=requests')).body).toEqual({ status: 'ok', checks: { database: 'ok' } })
  })

  it('sets a message off contract aside, with what follows of its key, and goes on with the other keys', async () => {
    const [bad, good] = [orderId(2), orderId(3)]
    await world.publish(messages.placed({ orderId: bad }))
    const broken = { ...incoming(OrderConfirmed, bad, { ...OrderConfirmed.example, orderId: bad, version: 2 }), data: { orderId: bad } }
    await world.publish(
      broken,
      messages.cancelled({ orderId: bad, version: 3 }),
      messages.placed({ orderId: good }),
      messages.confirmed({ orderId: good, version: 2 }),
    )
    await eventually('the other key goes on', async () => (await world.get(`/v1/orders/${good}`, own)).body['status'] === 'CONFIRMED')
    expect((await world.get(`/v1/orders/${bad}`, own)).body['status']).toBe('PLACED')
    const waiting: { type: string }[] = await world.source.query('SELECT key FROM deferred WHERE key = $1', [bad])
    expect(waiting.length).toBeGreaterThan(0)
  })

  it('reads hundreds of orders from the log, each once', async () => {
    const numbers = Array.from({ length: 400 }, (_, index) => 0x2000 + index)
    const batch = numbers.flatMap((number) => [
      messages.placed({ orderId: orderId(number), customerId: 'c-bulk' }),
      messages.confirmed({ orderId: orderId(number), version: 2 }),
    ])
    await world.publish(...batch)
    await world.publish(...batch.slice(0, 100))
    await eventually('all are read', async () => {
      const counted: { count: bigint }[] = await world.source.query(
        `SELECT count(*) FROM orders WHERE customer_id = 'c-bulk' AND status = 'CONFIRMED'`,
      )
      return Number(counted[0]?.count) === numbers.length
    })
  })
})
