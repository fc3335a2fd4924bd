import { describe, expect, it } from '@jest/globals'
import { CONTRACTS, OrderPlaced } from '#contracts'
import { seal, type StreamRef } from '#event-store'
import { isRefusal, MAX_PAISE, ZERO, type JsonObject } from '#kernel'
import { MAX_QUANTITY, order, priceOrder, product, STATE_CODES, type OrderCommand, type OrderLine, type ProductDetails } from '#order'
import { MAX_ON_HAND, releaseStock, reserveStock, stock } from '#stock'
import fc from 'fast-check'
import { orderRef, productRef, reservationRef, stockRef } from './streams.js'
import { memoryParts } from './testing/memory-app.js'

type DomainEvents = readonly { readonly type: string; readonly data: JsonObject }[]

/** A store to which events are written as they are, and what it would publish of them. */
const recorder = () => {
  const { store, subjectKeys } = memoryParts()
  let count = 0
  const record = (stream: StreamRef, decided: DomainEvents | { readonly refused: true; readonly slug: string }) => {
    if ('refused' in decided) throw new Error(decided.slug)
    return store.execute({
      id: `c-${++count}`,
      fingerprint: 'f',
      streams: [stream],
      metadata: { correlationId: 'o', causationId: 'c', actor: 'c-1' },
      decide: () => ({ appends: [{ stream, events: decided }], answer: '' }),
    })
  }
  const published = async () => (await store.outbox.after(0n, 1_000)).flatMap(({ messages }) => messages)
  return { record, published, subjectKeys }
}

const contractOf = new Map(CONTRACTS.map((contract) => [contract.type, contract]))

/** As odd as the HTTP side lets in, and as large where size matters. */
const words = (max: number) => fc.string({ minLength: 1, maxLength: max, unit: 'binary' })
const sku = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
const details: fc.Arbitrary<ProductDetails> = fc.record(
  {
    title: words(200),
    description: words(300),
    category: words(64),
    brand: words(100),
    price: fc.bigInt({ min: 1n, max: MAX_PAISE }).map(String),
    gstRate: fc.constantFrom(0, 5, 18, 40),
    hsn: fc.stringMatching(/^[0-9]{8}$/),
    attributes: fc.dictionary(words(200), words(200), { maxKeys: 4 }),
  },
  { requiredKeys: ['title', 'category', 'price', 'gstRate'] },
)
const at = '2026-11-01T10:00:00.000Z'
const lifeAfterPayment = (items: readonly OrderLine[], reason: JsonObject): readonly OrderCommand[] => [
  { type: 'pack', at },
  { type: 'ship', carrier: 'Delhivery', trackingNumber: 'DL1', at },
  { type: 'sendOut', at },
  { type: 'deliver', at },
  { type: 'requestReturn', items: items.map(({ sku: id, quantity }) => ({ sku: id, quantity })), reason, at },
  { type: 'acceptReturn', at },
]

describe('whatever a command can decide', () => {
  it('of a product is published by its contract', async () => {
    await fc.assert(
      fc.asyncProperty(sku, details, details, async (id, first, second) => {
        const { record, published } = recorder()
        await record(productRef(id), product.decide({ type: 'define', details: first }, null))
        await record(productRef(id), product.decide({ type: 'define', details: second }, first))
        for (const { key, type, data } of await published()) {
          expect([key, type]).toEqual([id, 'ProductChanged'])
          contractOf.get(type)?.parse(data)
        }
        expect((await published()).at(-1)?.data).toMatchObject({ sku: id, price: second.price })
      }),
      { numRuns: 25 },
    )
  })

  it('of an order is published by its contract', async () => {
    const lines = fc.uniqueArray(fc.tuple(sku, fc.integer({ min: 1, max: MAX_QUANTITY }), details), {
      minLength: 1,
      maxLength: 8,
      selector: ([id]) => id,
    })
    await fc.assert(
      fc.asyncProperty(
        lines,
        fc.constantFrom(...STATE_CODES),
        fc.boolean(),
        fc.boolean(),
        async (wanted, buyerState, reviewed, delivered) => {
          const products = new Map(wanted.map(([id, , product]) => [id, product]))
          const priced = priceOrder({
            lines: wanted.map(([id, quantity]) => ({ sku: id, quantity })),
            productOf: (id) => products.get(id) ?? null,
            sellerState: 'KA',
            buyerState,
            at_ms: Date.UTC(2026, 10, 1),
            shipping: ZERO,
          })
          if (isRefusal(priced)) return expect(priced.slug).toBe('limit-exceeded')
          const { record, published, subjectKeys } = recorder()
          const sealed = { ...seal(await subjectKeys.forSubject('c-1'), '{}') }
          const payment = { method: 'upi', flow: 'collect', instrument: sealed, display: 'a…@upi' } as const
          const content = { customerId: 'c-1', ...priced, shippingAddress: sealed, addressHash: 'h', deviceHash: 'd', payment }
          const ref = orderRef('0190a000-0000-7000-8000-000000000001')
          let state = order.initialState
          for (const command of [
            { type: 'place', content, at } as const,
            ...(reviewed ? [{ type: 'startReview', at } as const] : []),
            { type: 'confirm', at } as const,
            ...(delivered ? lifeAfterPayment(priced.items, sealed) : [{ type: 'cancel', reason: 'customer', note: sealed, at } as const]),
          ]) {
            const events = order.decide(command, state)
            await record(ref, events)
            if (!isRefusal(events)) state = events.reduce(order.evolve, state)
          }
          const messages = await published()
          for (const { type, data } of messages) contractOf.get(type)?.parse(data)
          expect(messages.map(({ type, data }) => [type, data['version']])).toEqual(
            [
              'OrderPlaced',
              ...(reviewed ? ['OrderReviewStarted'] : []),
              'OrderConfirmed',
              ...(delivered
                ? ['OrderPacked', 'OrderShipped', 'OrderOutForDelivery', 'OrderDelivered', 'OrderReturnRequested', 'OrderReturned']
                : ['OrderCancelled']),
            ].map((type, at) => [type, at + 1]),
          )
        },
      ),
      { numRuns: 25 },
    )
  })

  it('of an order is priced as the contract shows by its example', () => {
    const { items, totals } = OrderPlaced.example
    const priced = priceOrder({
      lines: items,
      productOf: (id) => {
        const line = items.find((each) => each.sku === id)
        return line
          ? { title: line.title, category: line.category, price: line.unitPrice, gstRate: line.gstRate, hsn: line.hsn ?? '' }
          : null
      },
      sellerState: 'KA',
      buyerState: 'KA',
      at_ms: Date.parse(OrderPlaced.example.placedAt),
      shipping: ZERO,
    })
    expect(priced).toEqual({ items, totals })
  })

  it('of stock is published by its contract; a reservation is not', async () => {
    const { record, published } = recorder()
    const ref = stockRef('A')
    let state = stock.initialState
    const run = async (events: ReturnType<typeof stock.decide>) => {
      await record(ref, events)
      if (!isRefusal(events)) state = events.reduce(stock.evolve, state)
    }
    await run(stock.decide({ type: 'receive', quantity: MAX_ON_HAND }, state))
    await run(stock.decide({ type: 'adjust', quantity: -1, reason: 'count' }, state))
    const made = reserveStock('o-1', [{ sku: 'A', quantity: 5 }], { status: 'none' }, () => state)
    if (isRefusal(made)) throw new Error(made.slug)
    await record(reservationRef('o-1'), made.reservation)
    await run(made.stock.flatMap(({ events }) => events))
    const given = releaseStock('o-1', { status: 'reserved', lines: [{ sku: 'A', quantity: 5 }] }, () => state)
    await record(reservationRef('o-1'), given.reservation)
    await run(given.stock.flatMap(({ events }) => events))
    const messages = await published()
    for (const { type, data } of messages) contractOf.get(type)?.parse(data)
    expect(messages.map(({ type, data }) => [type, data['onHand'], data['reserved']])).toEqual([
      ['StockChanged', MAX_ON_HAND, 0],
      ['StockChanged', MAX_ON_HAND - 1, 0],
      ['StockChanged', MAX_ON_HAND - 1, 5],
      ['StockChanged', MAX_ON_HAND - 1, 0],
    ])
  })
})
