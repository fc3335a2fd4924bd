import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CancelOrder, ConfirmOrder, ReleaseStock, ReserveStock, StartReview, type CommandAnsweredData } from '#contracts'
import type { OutgoingMessage } from '#kernel'
import { eventually, seededRandom } from '#kernel/testing'
import { airdopes, asha, merchant, placing } from '../testing/examples.js'
import { RunningApp } from '../testing/running-app.js'

let running: RunningApp
const call: RunningApp['call'] = (...args) => running.call(...args)

beforeAll(async () => {
  running = await RunningApp.start()
  await call('PUT', '/v1/products/BOAT-141', { as: merchant, body: airdopes })
})
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

const place = async (): Promise<{ orderId: string }> => {
  const answer = await call('POST', '/v1/orders', placing())
  expect(answer.status).toBe(201)
  return { orderId: String(answer.body['orderId']) }
}

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
  })
})

describe('what is published', () => {
  it('keeps its contracts', () => {
    expect(new Set(running.heard.map(({ type }) => type))).toEqual(
      new Set([
        'ProductChanged',
        'StockChanged',
        'OrderPlaced',
        'OrderReviewStarted',
        'OrderConfirmed',
        'OrderCancelled',
        'CommandAnswered',
      ]),
    )
    expect(running.brokenContracts()).toEqual([])
  })
})
