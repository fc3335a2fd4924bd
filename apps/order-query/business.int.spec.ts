import { VisibilityProbed } from '#contracts'
import { eventually } from '#kernel/testing'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { invariants } from './invariants.js'
import { incoming, messages, orderId } from './testing/messages.js'
import { openWorld, type World } from './testing/world.js'

describe('business metrics', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
    await world.app.startAllMicroservices()
    await world.app.init()
  })
  afterAll(() => world.close())

  const metric = async (name: string): Promise<readonly string[]> => {
    const { body } = await world.app.inject({ method: 'GET', url: '/metrics' })
    return body
      .split('\n')
      .filter((line) => line.startsWith(name))
      .map((line) => line.replace(',app="order-query"', '').replace('app="order-query",', ''))
  }

  it('tell recent orders by method and outcome and where their money is, with labels of closed lists; old ones are not counted', async () => {
    const [open, paid, out, old] = [orderId(1), orderId(2), orderId(3), orderId(4)]
    const placedAt = new Date().toISOString()
    await world.feed(
      messages.placed({ orderId: open, placedAt }),
      messages.placed({ orderId: paid, placedAt }),
      messages.placed({ orderId: out, placedAt }),
      messages.placed({ orderId: old, placedAt: '2026-01-01T00:00:00.000Z' }),
      messages.confirmed({ orderId: paid, version: 2 }),
      messages.cancelled({ orderId: out, version: 2, reason: 'out-of-stock' }),
      messages.payment({ orderId: open, status: 'RUNNING', amount: '500', authorised: '500', captured: '0', refunded: '0' }),
      messages.payment({ orderId: paid, status: 'COMPLETED', amount: '700', authorised: '700', captured: '700', refunded: '200' }),
      messages.stock({ sku: 'GONE', version: 1, onHand: 0, reserved: 0, available: 0 }),
    )
    expect((await metric('orders_recent{')).toSorted()).toEqual([
      'orders_recent{method="wallet",outcome="confirmed"} 1',
      'orders_recent{method="wallet",outcome="open"} 1',
      'orders_recent{method="wallet",outcome="out-of-stock"} 1',
    ])
    expect((await metric('order_money_recent_paise{')).toSorted()).toEqual([
      'order_money_recent_paise{state="captured"} 700',
      'order_money_recent_paise{state="held"} 500',
      'order_money_recent_paise{state="refunded"} 200',
    ])
    expect(await metric('products_out_of_stock')).toEqual([expect.stringMatching(/^products_out_of_stock\S* 1$/)])
  })

  it('tell how long a probe took to be seen, once it is committed', async () => {
    const count = async () => Number((await metric('query_visibility_seconds_count'))[0]?.split(' ').at(-1) ?? 0)
    const before = await count()
    const at = new Date(Date.now() - 3_000).toISOString()
    await world.publish(incoming(VisibilityProbed, 'probe', { at }))
    await eventually('the probe is seen', async () => (await count()) === before + 1)
    const slower = (await metric('query_visibility_seconds_bucket')).find((line) => line.includes('le="2.5"'))
    expect(slower).toMatch(/ 0$/)
  })

  it('tell that the invariants were checked, and hold', async () => {
    await eventually('all are checked', async () => (await metric('invariant_violations{')).length === invariants.length)
    for (const line of await metric('invariant_violations{')) expect(line).toMatch(/^invariant_violations\{invariant="[a-z-]+"\} 0$/)
  })
})
