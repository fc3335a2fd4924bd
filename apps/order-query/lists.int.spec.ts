import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { messages, orderId } from './testing/messages.js'
import { openWorld, type World } from './testing/world.js'

/** Lists against a plain model: filter, sort by key and id, and pages that stay right while rows are added. */
describe('lists', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
    await world.app.init()
  })
  beforeEach(() => world.source.query('TRUNCATE orders, payments, order_history, products, stock, applied_versions'))
  afterAll(() => world.close())

  /** All pages of a list, with `between` called after each. */
  const walk = async (url: string, idOf: string, limit: number, between: (page: number) => Promise<void> = async () => undefined) => {
    const ids: unknown[] = []
    let cursor: string | null | undefined
    for (let page = 0; page < 200; page++) {
      const { status, body } = await world.get(`${url}&limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`, { as: ['s-1', 'support'] })
      expect(status).toBe(200)
      ids.push(...(body.items ?? []).map((item) => item[idOf]))
      cursor = body.nextCursor
      if (!cursor) return ids
      expect(body.items).toHaveLength(limit)
      await between(page)
    }
    throw new Error('the list has no end')
  }

  const compare = (one: bigint | string | number, other: bigint | string | number) => (one < other ? -1 : one > other ? 1 : 0)

  const anOrder = fc.record({
    number: fc.integer({ min: 1, max: 500 }),
    minute: fc.integer({ min: 0, max: 5 }),
    total: fc.integer({ min: 1, max: 4 }),
    customer: fc.constantFrom('c-1', 'c-2'),
    confirmed: fc.boolean(),
  })
  const orders = fc.uniqueArray(anOrder, { selector: ({ number }) => number, maxLength: 40 })
  type AnOrder = typeof anOrder extends fc.Arbitrary<infer T> ? T : never

  const minute = (at: number) => `2026-11-01T10:0${at}:00.000Z`
  const feedOrders = async (given: readonly AnOrder[]) =>
    world.feed(
      ...given.flatMap(({ number, minute: at, total, customer, confirmed }) => [
        messages.placed({
          orderId: orderId(number),
          customerId: customer,
          placedAt: minute(at),
          totals: {
            subtotal: `${total}000`,
            gst: { cgst: '0', sgst: '0', igst: '0' },
            shipping: '0',
            grandTotal: `${total}000`,
          },
        }),
        ...(confirmed ? [messages.confirmed({ orderId: orderId(number), version: 2 })] : []),
      ]),
    )

  const orderFilters = fc.record(
    {
      status: fc.constantFrom('PLACED', 'CONFIRMED', 'CANCELLED'),
      customerId: fc.constantFrom('c-1', 'c-2', 'c-3'),
      from: fc.integer({ min: 0, max: 5 }),
      to: fc.integer({ min: 0, max: 5 }),
    },
    { requiredKeys: [] },
  )

  it('of orders agree with a model, for every filter, sort and page size', async () => {
    await fc.assert(
      fc.asyncProperty(
        orders,
        orderFilters,
        fc.constantFrom(undefined, '-placedAt', 'placedAt', '-grandTotal', 'grandTotal'),
        fc.integer({ min: 1, max: 9 }),
        async (given, filter, sort, limit) => {
          fc.pre(filter.from === undefined || filter.to === undefined || filter.from <= filter.to)
          await world.source.query('TRUNCATE orders, order_history, applied_versions')
          await feedOrders(given)
          const { status, customerId, from, to } = filter
          const expected = given
            .filter((order) => status === undefined || status === (order.confirmed ? 'CONFIRMED' : 'PLACED'))
            .filter((order) => customerId === undefined || order.customer === customerId)
            .filter((order) => (from === undefined || order.minute >= from) && (to === undefined || order.minute < to))
            .toSorted((one, other) => {
              const byTotal = sort === 'grandTotal' || sort === '-grandTotal'
              const key = byTotal ? compare(one.total, other.total) : compare(one.minute, other.minute)
              const ascending = key || compare(one.number, other.number)
              return sort === undefined || sort.startsWith('-') ? -ascending : ascending
            })
          const query = new URLSearchParams({
            ...(sort && { sort }),
            ...(status && { status }),
            ...(customerId && { customerId }),
            ...(from !== undefined && { from: minute(from) }),
            ...(to !== undefined && { to: minute(to) }),
          })
          expect(await walk(`/v1/orders?${query}`, 'orderId', limit)).toEqual(expected.map(({ number }) => orderId(number)))
        },
      ),
      { numRuns: 40 },
    )
  })

  it('of orders neither repeat nor lose one while others are placed between the pages', async () => {
    await fc.assert(
      fc.asyncProperty(orders, fc.array(anOrder, { maxLength: 10 }), fc.integer({ min: 1, max: 5 }), async (given, more, limit) => {
        await world.source.query('TRUNCATE orders, order_history, applied_versions')
        await feedOrders(given)
        const late = more.map((order) => ({ ...order, number: order.number + 1_000 }))
        const ids = await walk('/v1/orders?', 'orderId', limit, (page) => feedOrders(late.slice(page, page + 1)))
        expect(new Set(ids).size).toBe(ids.length)
        const old = new Set(given.map(({ number }) => orderId(number)))
        const expected = given.toSorted((one, other) => compare(other.minute, one.minute) || compare(other.number, one.number))
        expect(ids.filter((id) => old.has(String(id)))).toEqual(expected.map(({ number }) => orderId(number)))
      }),
      { numRuns: 25 },
    )
  })

  const aProduct = fc.record({
    sku: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,5}$/),
    title: fc.constantFrom('Kurta', 'kurta', 'Kurta Kurta', 'कुर्ता kurta', 'Shoe', 'Zebra kurta'),
    price: fc.integer({ min: 1, max: 5 }),
    category: fc.constantFrom('fashion', 'audio'),
  })

  it('of products agree with a model, and by relevance show each once, best first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(aProduct, { selector: ({ sku }) => sku, maxLength: 25 }),
        fc.constantFrom(undefined, 'title', '-title', 'price', '-price', 'relevance'),
        fc.integer({ min: 1, max: 5 }),
        fc.option(fc.constantFrom('fashion', 'audio'), { nil: undefined }),
        async (given, sort, limit, category) => {
          await world.source.query('TRUNCATE products, applied_versions')
          await world.feed(
            ...given.map(({ sku, title, price, category }) =>
              messages.product({ sku, title, price: String(price), category, description: 'plain', brand: 'Fab' }),
            ),
          )
          const relevant = sort === 'relevance'
          const query = new URLSearchParams({ ...(sort && { sort }), ...(category && { category }), ...(relevant && { q: 'kurta' }) })
          const ids = await walk(`/v1/products?${query}`, 'sku', limit)
          const matching = given.filter((each) => (!category || each.category === category) && (!relevant || /kurta/i.test(each.title)))
          if (relevant) return expect(ids.toSorted()).toEqual(matching.map(({ sku }) => sku).toSorted())
          const bytes = (text: string) => Buffer.from(text).toString('hex')
          const expected = matching.toSorted((one, other) => {
            const key = sort?.endsWith('price') ? compare(one.price, other.price) : compare(bytes(one.title), bytes(other.title))
            const ascending = key || compare(bytes(one.sku), bytes(other.sku))
            return sort?.startsWith('-') ? -ascending : ascending
          })
          return expect(ids).toEqual(expected.map(({ sku }) => sku))
        },
      ),
      { numRuns: 40 },
    )
  })
})
