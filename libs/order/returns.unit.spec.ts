import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isRefusal, ZERO } from '#kernel'
import { checkReturn, MAX_QUANTITY, priceOrder, returnedGoods, type OrderLine } from './index.js'

const priced = (price: number, gstRate: number, quantity: number, buyerState = 'KA'): OrderLine => {
  const order = priceOrder({
    lines: [{ sku: 'A', quantity }],
    productOf: () => ({ title: 'A', category: 'a', price: String(price), gstRate }),
    sellerState: 'KA',
    buyerState,
    at_ms: Date.UTC(2026, 10, 1),
    shipping: ZERO,
  })
  const [line] = isRefusal(order) ? [] : order.items
  if (!line) throw new Error('it is priced')
  return line
}

const parts = ['cgst', 'sgst', 'igst'] as const

describe('goods that come back', () => {
  it('are owed for whole with all of their tax', () => {
    const line = priced(333, 18, 3)
    expect(returnedGoods([line], [{ sku: 'A', quantity: 3 }])).toEqual({
      items: [{ sku: 'A', quantity: 3, amount: line.lineTotal, gst: line.gst }],
      refund: line.lineTotal,
      gst: line.gst,
    })
  })

  it('and those that stay are together what was paid, to the paisa, with no part below zero', () => {
    const line = fc
      .record({
        price: fc.integer({ min: 1, max: 100_000_000 }),
        rate: fc.constantFrom(0, 5, 18, 40),
        quantity: fc.integer({ min: 1, max: MAX_QUANTITY }),
        state: fc.constantFrom('KA', 'MH'),
      })
      .chain((one) => fc.record({ one: fc.constant(one), back: fc.integer({ min: 1, max: one.quantity }) }))
    fc.assert(
      fc.property(line, ({ one, back }) => {
        const whole = priced(one.price, one.rate, one.quantity, one.state)
        const { items, refund, gst } = returnedGoods([whole], [{ sku: 'A', quantity: back }])
        const kept = back === one.quantity ? undefined : priced(one.price, one.rate, one.quantity - back, one.state)
        expect(BigInt(refund) + BigInt(kept?.lineTotal ?? 0)).toBe(BigInt(whole.lineTotal))
        expect(items[0]).toMatchObject({ amount: refund, gst })
        for (const part of parts) {
          expect(BigInt(gst[part])).toBeGreaterThanOrEqual(0n)
          expect(BigInt(gst[part]) + BigInt(kept?.gst[part] ?? 0)).toBe(BigInt(whole.gst[part]))
        }
      }),
    )
  })

  it('are summed over their lines', () => {
    const lines = [priced(100, 18, 2), { ...priced(250, 5, 4), sku: 'B' }]
    const goods = returnedGoods(lines, [
      { sku: 'A', quantity: 1 },
      { sku: 'B', quantity: 3 },
    ])
    expect(goods.refund).toBe('850')
    for (const part of parts) expect(goods.gst[part]).toBe(String(goods.items.reduce((sum, { gst }) => sum + Number(gst[part]), 0)))
  })

  it('are units of the order', () => {
    const lines = [priced(100, 18, 2)]
    expect(checkReturn(lines, [{ sku: 'A', quantity: 2 }])).toBeUndefined()
    expect(checkReturn(lines, [{ sku: 'A', quantity: 3 }])).toMatchObject({ slug: 'return-exceeds-order' })
    expect(checkReturn(lines, [{ sku: 'B', quantity: 1 }])).toMatchObject({ slug: 'return-exceeds-order' })
  })
})
