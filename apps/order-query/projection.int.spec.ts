import type { IncomingMessage } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import { projector } from '#projections'
import { memoryRows } from '#projections/testing'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { orderQueryProjection } from './projection.js'
import { withoutLost } from './read-models/orders.js'
import { history, orders, payments, products, stock } from './read-models/tables.js'
import { messages, orderId, RESTORED } from './testing/messages.js'

const world = () => {
  const rows = memoryRows()
  const transactions = memoryTransactions()
  const project = projector(orderQueryProjection, rows)
  return {
    feed: async (...batch: IncomingMessage[]) => transactions.run(await project(batch)),
    one: (table: Parameters<typeof rows.rows>[0]) => rows.rows(table)[0],
    all: () =>
      [orders, payments, history, products, stock].map((table) =>
        rows.rows(table).toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1)),
      ),
    history: () =>
      rows
        .rows(history)
        .toSorted((one, other) => String(one['at']).localeCompare(String(other['at'])))
        .map((row) => [row['type'], row['by'], row['summary']]),
  }
}

const id = orderId(1)

describe("order-query's projection", () => {
  it('follows an order from placed to cancelled', async () => {
    const { feed, one } = world()
    const note = { subject: 'c-1', nonce: 'n', ciphertext: 'shop closed' }
    await feed(messages.placed())
    expect(one(orders)).toMatchObject({ orderId: id, status: 'PLACED', version: 1, customerId: 'c-1', grandTotal: '299800' })
    await feed(messages.reviewStarted({ version: 2 }))
    expect(one(orders)).toMatchObject({ status: 'UNDER_REVIEW', version: 2 })
    await feed(messages.confirmed({ version: 3 }))
    expect(one(orders)).toMatchObject({ status: 'CONFIRMED', version: 3, updatedAt: '2026-11-01T10:00:01.000Z' })
    await feed(messages.cancelled({ version: 4, by: 'm-1', reason: 'merchant', note, at: '2026-11-02T00:00:00.000Z' }))
    expect(one(orders)).toMatchObject({
      status: 'CANCELLED',
      version: 4,
      placedAt: '2026-11-01T10:00:00.000Z',
      cancellation: { reason: 'merchant', note, at: '2026-11-02T00:00:00.000Z', by: 'm-1' },
    })
  })

  it('follows an order from packed to given back', async () => {
    const { feed, one, history: told } = world()
    const at = (minute: number) => `2026-11-02T00:0${minute}:00.000Z`
    await feed(messages.placed(), messages.confirmed({ version: 2 }))
    await feed(messages.packed({ version: 3, at: at(1), by: 'm-1' }), messages.shipped({ version: 4, at: at(2), by: 'm-1' }))
    expect(one(orders)).toMatchObject({ status: 'SHIPPED', carrier: 'Delhivery', trackingNumber: 'DL123456789IN', shippedAt: at(2) })
    await feed(messages.outForDelivery({ version: 5, at: at(3), by: 'm-1' }), messages.delivered({ version: 6, at: at(4), by: 'm-1' }))
    expect(one(orders)).toMatchObject({ status: 'DELIVERED', shippedAt: at(2), outForDeliveryAt: at(3), deliveredAt: at(4) })
    await feed(messages.returnRequested({ version: 7, at: at(5), by: 'c-1' }), messages.returned({ version: 8, at: at(6), by: 'm-1' }))
    expect(one(orders)).toMatchObject({
      status: 'RETURNED',
      version: 8,
      returnItems: [{ sku: 'BOAT-141', quantity: 1 }],
      returnRequestedAt: at(5),
      returnAcceptedAt: at(6),
      refund: '149900',
    })
    expect(told().slice(2)).toEqual([
      ['OrderPacked', 'm-1', 'Packed.'],
      ['OrderShipped', 'm-1', 'Shipped with Delhivery, DL123456789IN.'],
      ['OrderOutForDelivery', 'm-1', 'Out for delivery.'],
      ['OrderDelivered', 'm-1', 'Delivered, INR 2,998.00 paid at the door.'],
      ['OrderReturnRequested', 'c-1', 'A return of one unit was asked for.'],
      ['OrderReturned', 'm-1', 'One unit taken back: INR 1,499.00 to be refunded.'],
    ])
  })

  it('tells what happened in sentences, without personal data', async () => {
    const { feed, history: told } = world()
    await feed(
      messages.placed(),
      messages.scored(),
      messages.payment({ status: 'COMPLETED' }),
      messages.cancelled({ by: 'c-1', reason: 'customer', at: '2026-11-03T00:00:00.000Z' }),
    )
    expect(told()).toEqual([
      ['OrderPlaced', 'c-1', 'Placed for INR 2,998.00, 1 line.'],
      ['TransactionScored', 'app:fraud', 'Scored 0.12 by scorecard-1: approve.'],
      [
        'PaymentChanged',
        'app:payment-saga',
        'Payment of INR 2,998.00 by wallet is COMPLETED: INR 2,998.00 authorised, INR 2,998.00 captured.',
      ],
      ['OrderCancelled', 'c-1', 'Cancelled: the customer cancelled it.'],
    ])
  })

  it('keeps the instrument of payment out of the read model', async () => {
    const { feed, one } = world()
    const instrument = { subject: 'c-1', nonce: 'n', ciphertext: 'x' }
    await feed(messages.placed({ payment: { method: 'upi', flow: 'collect', instrument, display: 's***@upi' } }))
    expect(one(orders)).toMatchObject({ paymentChoice: { method: 'upi', flow: 'collect', display: 's***@upi' } })
    expect(JSON.stringify(one(orders)?.['paymentChoice'])).not.toContain('ciphertext')
    const split = {
      method: 'split',
      walletId: 'w',
      walletAmount: '100',
      other: { method: 'card', instrument, display: 'card …42' },
    } as const
    const other = world()
    await other.feed(messages.placed({ payment: split }))
    expect(other.one(orders)?.['paymentChoice']).toEqual({ ...split, other: { method: 'card', display: 'card …42' } })
  })

  it('takes the last word on a payment, whichever of the sagas of the order says it', async () => {
    const { feed, one } = world()
    const first = messages.payment({ sagaId: 'pay', version: 9, status: 'COMPLETED', captured: '299800' })
    const second = messages.payment({ sagaId: 'cancel', version: 2, status: 'RUNNING', captured: '299800' })
    const third = messages.payment({ sagaId: 'cancel', version: 3, status: 'COMPLETED', refunded: '299800' })
    await feed(first, second)
    await feed(third, first)
    await feed(second)
    expect(one(payments)).toMatchObject({ status: 'COMPLETED', captured: '299800', refunded: '299800' })
  })

  it('drops from the history what a restored store forgot', async () => {
    const { feed, all } = world()
    await feed(messages.placed(), messages.confirmed({ version: 2 }), messages.cancelled({ version: 3 }))
    await feed(messages.reviewStarted({ version: 2, incarnation: RESTORED }))
    const rows = (all()[2] ?? []).map((row) => ({
      stream: String(row['stream']),
      version: String(row['version']),
      incarnation: String(row['incarnation']),
      type: row['type'],
    }))
    expect(withoutLost(rows).map(({ type }) => type)).toEqual(expect.arrayContaining(['OrderPlaced', 'OrderReviewStarted']))
    expect(withoutLost(rows)).toHaveLength(2)
  })

  it('is the same read model however topics interleave, batches are cut and messages repeat', async () => {
    const topics = [
      [messages.placed(), messages.reviewStarted({ version: 2 }), messages.confirmed({ version: 3 }), messages.cancelled({ version: 4 })],
      [messages.payment({ version: 1, status: 'RUNNING', captured: '0' }), messages.payment({ version: 2 })],
      [messages.product(), messages.product({ version: 2, title: 'boAt Airdopes 141 ANC' })],
      [messages.stock({ version: 1 }), messages.stock({ version: 2, onHand: 5, reserved: 1, available: 4 })],
      [messages.scored(), messages.alertDecided()],
    ]
    const straight = world()
    for (const topic of topics) await straight.feed(...topic)
    const expected = straight.all()

    const steps = fc.array(fc.record({ topic: fc.nat(4), size: fc.integer({ min: 1, max: 3 }), back: fc.nat(2) }), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(steps, async (walk) => {
        const { feed, all } = world()
        const next = topics.map(() => 0)
        // Redelivery begins some messages before the place that was reached, as after a crash.
        for (const { topic, size, back } of [...walk, ...topics.map((_, index) => ({ topic: index, size: 9, back: 1 }))]) {
          const from = Math.max(0, (next[topic] ?? 0) - back)
          const batch = topics[topic]?.slice(from, from + size) ?? []
          await feed(...batch)
          next[topic] = Math.max(next[topic] ?? 0, from + batch.length)
        }
        expect(all()).toEqual(expected)
      }),
    )
  })
})
