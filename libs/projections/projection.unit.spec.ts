import { OrderCancelled, OrderConfirmed, OrderPlaced, type OrderPlacedData } from '#contracts'
import type { IncomingMessage, JsonObject } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { on, projector, table, UnknownContractVersion, upsert, type Projection } from '#projections'
import { memoryRows } from '#projections/testing'

class SeenRow {
  orderId!: string
  customerId!: string
  status!: string
  count!: number
}
const seen = table(SeenRow, 'orderId')

const projection: Projection = {
  name: 'seen',
  handlers: [
    on(
      OrderPlaced,
      (data) => ({ stream: `order-${data.orderId}`, version: data.version }),
      (data) => [upsert(seen, { orderId: data.orderId, customerId: data.customerId, status: 'PLACED', count: data.version })],
    ),
    on(
      OrderConfirmed,
      (data) => ({ stream: `order-${data.orderId}`, version: data.version }),
      (data) => [upsert(seen, { orderId: data.orderId, status: `CONFIRMED ${data.version}`, count: data.version })],
    ),
  ],
}

const A = '0190a000-0000-7000-8000-00000000000a'
const B = '0190b000-0000-7000-8000-00000000000b'

const message = (type: string, data: object, incarnation = A, schemaVersion = 1): IncomingMessage => ({
  topic: 'orders.events',
  partition: 0,
  offset: 0n,
  key: 'any',
  id: 'any',
  type,
  schemaVersion,
  source: 'order-command',
  origin: { incarnation, position: 1n, ordinal: 0 },
  time: 0,
  data: JSON.parse(JSON.stringify(data)) as JsonObject,
  context: { correlationId: 'any', causationId: 'any' },
})
const placed = (orderId: string): OrderPlacedData => ({ ...OrderPlaced.example, orderId })
const confirmed = (orderId: string, version: number) => ({ ...OrderConfirmed.example, orderId, version })

const world = () => {
  const rows = memoryRows()
  const transactions = memoryTransactions()
  const handle = projector(projection, rows)
  return {
    rows: () => rows.rows(seen).toSorted((one, other) => String(one['orderId']).localeCompare(String(other['orderId']))),
    feed: async (...messages: IncomingMessage[]) => transactions.run(await handle(messages)),
  }
}

describe('a projection', () => {
  it('applies a batch in order and passes over types that it does not know', async () => {
    const { feed, rows } = world()
    await feed(
      message('OrderPlaced', placed('1')),
      message('OrderGiftWrapped', {}),
      message('OrderConfirmed', confirmed('1', 2)),
      message('OrderCancelled', OrderCancelled.example),
    )
    expect(rows()).toEqual([{ orderId: '1', customerId: 'c-1', status: 'CONFIRMED 2', count: 2 }])
  })

  it('has one effect for any repeats, old messages and cuts into batches', async () => {
    const versions = fc.array(fc.record({ order: fc.constantFrom('1', '2', '3'), version: fc.integer({ min: 2, max: 6 }) }), {
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(versions, fc.integer({ min: 1, max: 7 }), async (given, size) => {
        const { feed, rows } = world()
        const highest = new Map<string, number>()
        for (const { order, version } of given) highest.set(order, Math.max(version, highest.get(order) ?? 0))
        for (let from = 0; from < given.length; from += size)
          await feed(...given.slice(from, from + size).map(({ order, version }) => message('OrderConfirmed', confirmed(order, version))))
        expect(rows()).toEqual(
          [...highest].toSorted().map(([orderId, version]) => ({ orderId, status: `CONFIRMED ${version}`, count: version })),
        )
      }),
    )
  })

  it('follows a restored store, whose versions begin lower, also within one batch', async () => {
    const { feed, rows } = world()
    await feed(message('OrderConfirmed', confirmed('1', 9)))
    await feed(message('OrderConfirmed', confirmed('1', 10)), message('OrderConfirmed', confirmed('1', 4), B))
    expect(rows()).toMatchObject([{ count: 4 }])
    await feed(message('OrderConfirmed', confirmed('1', 11)))
    expect(rows()).toMatchObject([{ count: 4 }])
  })

  it('refuses data off contract and versions that it does not know, before anything is written', async () => {
    const { feed, rows } = world()
    await expect(feed(message('OrderPlaced', placed('1')), message('OrderPlaced', { orderId: '2' }))).rejects.toThrow('OrderPlaced v1')
    await expect(feed(message('OrderPlaced', placed('1'), A, 2))).rejects.toThrow(UnknownContractVersion)
    expect(rows()).toEqual([])
  })
})
