import { describe, expect, it } from '@jest/globals'
import { CancelOrder, ConfirmOrder, ContractViolation, ReleaseStock, ReserveStock } from '#contracts'
import { CommandIdReused, type EventStore } from '#event-store'
import type { IncomingMessage, OutgoingMessage } from '#kernel'
import type { BatchHandler } from '#messaging'
import { order } from '#order'
import { stock } from '#stock'
import { memoryParts } from '../testing/memory-app.js'
import { orderRef, reservationRef, stockRef } from '../streams.js'
import { UnknownCommand } from '#service'
import { OrderCommandsConsumer } from './order-commands.consumer.js'
import { StockCommandsConsumer } from './stock-commands.consumer.js'

const context = { correlationId: 'o-1', causationId: 'saga-1' }
let positions = 0n
/** As the relay of the saga's store would send it: each sending has a place of its own. */
const incoming = (message: OutgoingMessage, origin = ++positions): IncomingMessage => ({
  topic: message.topic,
  partition: 0,
  offset: origin,
  key: message.key,
  id: message.id ?? '',
  type: message.type,
  schemaVersion: message.schemaVersion,
  source: 'payment-saga',
  origin: { incarnation: 'saga-store', position: origin, ordinal: 0 },
  time: 0,
  data: message.data,
  context: message.context,
})

const world = () => {
  const { store, clock, transactions } = memoryParts()
  const orders = new OrderCommandsConsumer(store, clock)
  const stocks = new StockCommandsConsumer(store)
  const deliver = async (handler: BatchHandler, messages: readonly IncomingMessage[]) => {
    const effect = await handler(messages)
    await transactions.run(effect)
  }
  const write = (stream: Parameters<EventStore['load']>[0], events: Parameters<typeof append>[1]) => append(store, events, stream)
  return {
    store,
    write,
    toOrders: (...messages: readonly IncomingMessage[]) => deliver((batch) => orders.handle(batch), messages),
    toStock: (...messages: readonly IncomingMessage[]) => deliver((batch) => stocks.handle(batch), messages),
    /** Everything that the relay would send, in order. */
    sent: async () => (await store.outbox.after(0n, 10_000)).flatMap(({ messages }) => messages),
  }
}

let writes = 0
const append = (
  store: EventStore,
  events: readonly { readonly type: string; readonly data: object }[],
  stream: Parameters<EventStore['load']>[0],
) =>
  store.execute({
    id: `write-${++writes}`,
    fingerprint: 'f',
    streams: [stream],
    metadata: { ...context, actor: 'test' },
    decide: () => ({ appends: [{ stream, events: JSON.parse(JSON.stringify(events)) }], answer: '' }),
  })

const placed = order.decide(
  {
    type: 'place',
    at: '2026-11-01T10:00:00.000Z',
    content: {
      customerId: 'c-1',
      items: [
        {
          sku: 'A',
          title: 'A',
          category: 'a',
          quantity: 2,
          unitPrice: '100',
          gstRate: 0,
          lineTotal: '200',
          gst: { cgst: '0', sgst: '0', igst: '0' },
        },
      ],
      totals: { subtotal: '200', gst: { cgst: '0', sgst: '0', igst: '0' }, shipping: '0', grandTotal: '200' },
      shippingAddress: { subject: 'c-1', nonce: 'n', ciphertext: 'c' },
      addressHash: 'h',
      payment: { method: 'cod' },
    },
  },
  null,
)
const ofOrder = { replyTo: 'saga-1', orderId: 'o-1' }
const confirm = (id: string) => ConfirmOrder.message('o-1', ofOrder, context, id)
const lines = [{ sku: 'A', quantity: 2 }]
const reserve = (orderId: string, id: string) => ReserveStock.message(orderId, { replyTo: 'saga-1', orderId, lines }, context, id)
const release = (orderId: string, id: string) => ReleaseStock.message(orderId, { replyTo: 'saga-1', orderId, lines }, context, id)
const answersIn = (messages: readonly OutgoingMessage[]) => messages.filter(({ type }) => type === 'CommandAnswered')

const withOrder = async () => {
  const one = world()
  if ('refused' in placed) throw new Error(placed.slug)
  await one.write(orderRef('o-1'), placed)
  return one
}
const withStock = async (quantity: number) => {
  const one = world()
  await one.write(stockRef('A'), [{ type: 'StockReceived', data: { quantity, onHand: quantity, reserved: 0 } }])
  return one
}

describe('a command message', () => {
  it('is answered on replies, to who waits, in its business transaction', async () => {
    const one = await withOrder()
    await one.toOrders(incoming(confirm('saga-1:confirm')))
    expect(answersIn(await one.sent())).toEqual([
      expect.objectContaining({
        topic: 'replies',
        key: 'saga-1',
        data: { replyTo: 'saga-1', commandId: 'saga-1:confirm', command: 'ConfirmOrder', outcome: 'accepted' },
        context: { correlationId: 'o-1', causationId: 'saga-1:confirm' },
      }),
    ])
    expect((await one.store.load(orderRef('o-1'))).state).toMatchObject({ status: 'CONFIRMED' })
  })

  it('that comes again, alone or in one batch, is answered again as before and changes nothing', async () => {
    const one = await withOrder()
    await one.toOrders(incoming(confirm('c')), incoming(confirm('c')))
    await one.toOrders(incoming(confirm('c')))
    const answers = answersIn(await one.sent())
    expect(answers).toHaveLength(3)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect((await one.store.load(orderRef('o-1'))).version).toBe(2)
  })

  it('gives its first answer again, whatever has become of the order since', async () => {
    const one = await withOrder()
    await one.toOrders(incoming(confirm('first')))
    await one.write(orderRef('o-1'), [
      {
        type: 'OrderCancelled',
        data: { customerId: 'c-1', at: '2026-11-01T11:00:00.000Z', reason: 'customer', wasConfirmed: true, items: lines },
      },
    ])
    await one.toOrders(incoming(confirm('second')), incoming(confirm('first')))
    const outcomes = answersIn(await one.sent()).map(({ data }) => [data['commandId'], data['outcome']])
    expect(outcomes).toEqual([
      ['first', 'accepted'],
      ['second', 'refused'],
      ['first', 'accepted'],
    ])
  })

  it('handled twice because the first commit was lost is answered once', async () => {
    const one = await withOrder()
    const message = incoming(confirm('c'))
    const again = incoming(confirm('c'))
    await one.toOrders(message)
    await one.toOrders(again)
    await one.toOrders(again)
    // One for each message: the third handling was of a message that had been handled.
    expect(answersIn(await one.sent())).toHaveLength(2)
  })

  it('whose id was another command’s, that breaks its contract or has no known type is for the dead letters', async () => {
    const one = await withOrder()
    await one.toOrders(incoming(confirm('c')))
    const other = CancelOrder.message('o-1', { ...ofOrder, reason: 'out-of-stock' }, context, 'c')
    await expect(one.toOrders(incoming(other))).rejects.toThrow(CommandIdReused)
    await expect(one.toOrders(incoming({ ...confirm('d'), data: { replyTo: 'saga-1' } }))).rejects.toThrow(ContractViolation)
    await expect(one.toOrders(incoming({ ...confirm('e'), type: 'PackOrder' }))).rejects.toThrow(UnknownCommand)
    await expect(one.toStock(incoming({ ...reserve('o-1', 'f'), type: 'ShipStock' }))).rejects.toThrow(UnknownCommand)
  })
})

describe('stock commands in one batch', () => {
  it('are decided one after another', async () => {
    const one = await withStock(5)
    await one.toStock(
      incoming(reserve('o-1', '1')),
      incoming(reserve('o-2', '2')),
      incoming(reserve('o-3', '3')),
      incoming(release('o-1', '4')),
      incoming(reserve('o-4', '5')),
    )
    expect(answersIn(await one.sent()).map(({ data }) => data['slug'] ?? data['outcome'])).toEqual([
      'accepted',
      'accepted',
      'out-of-stock',
      'accepted',
      'accepted',
    ])
    expect((await one.store.load(stockRef('A'))).state).toEqual({ onHand: 5, reserved: 4 })
  })

  it('publish each level that the stock had', async () => {
    const one = await withStock(5)
    await one.toStock(incoming(reserve('o-1', '1')), incoming(release('o-1', '2')))
    const changes = (await one.sent()).filter(({ type }) => type === 'StockChanged')
    expect(changes.map(({ data }) => [data['version'], data['onHand'], data['reserved'], data['available']])).toEqual([
      [1, 5, 0, 5],
      [2, 5, 2, 3],
      [3, 5, 0, 5],
    ])
  })

  it('with a release first refuse the reservation, for good', async () => {
    const one = await withStock(5)
    await one.toStock(incoming(release('o-1', '1')))
    await one.toStock(incoming(reserve('o-1', '2')))
    expect(answersIn(await one.sent()).map(({ data }) => data['slug'] ?? data['outcome'])).toEqual(['accepted', 'reservation-released'])
    expect((await one.store.load(reservationRef('o-1'))).state).toEqual({ status: 'released' })
    expect((await one.store.load(stockRef('A'))).state).toEqual({ ...stock.initialState, onHand: 5 })
  })
})
