import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isRefusal, MAX_PAISE, paise, ZERO } from '#kernel'
import {
  gstContained,
  gstRatesAt,
  gstStateCode,
  isGstRateValid,
  priceOrder,
  type PriceRequest,
  type ProductDetails,
  splitGst,
  STATE_CODES,
  currentStateLetters,
} from './index.js'

const airdopes: ProductDetails = { title: 'boAt Airdopes 141', category: 'audio', price: '149900', gstRate: 18, hsn: '8518' }
const notebook: ProductDetails = { title: 'Classmate notebook', category: 'books', price: '5001', gstRate: 5 }
const catalogue: Record<string, ProductDetails> = { 'BOAT-141': airdopes, 'NOTE-1': notebook }

const request = (more: Partial<PriceRequest> = {}): PriceRequest => ({
  lines: [{ sku: 'BOAT-141', quantity: 2 }],
  productOf: (sku) => catalogue[sku] ?? null,
  sellerState: 'KA',
  buyerState: 'KA',
  at_ms: Date.UTC(2026, 10, 1),
  shipping: ZERO,
  ...more,
})

describe('GST rates', () => {
  it('change on 2025-09-22 at midnight in India', () => {
    const midnight = Date.parse('2025-09-22T00:00:00+05:30')
    expect(gstRatesAt(midnight - 1)).toEqual([0, 5, 12, 18, 28])
    expect(gstRatesAt(midnight)).toEqual([0, 5, 18, 40])
    expect(isGstRateValid(12, midnight)).toBe(false)
    expect(isGstRateValid(40, midnight - 1)).toBe(false)
  })

  it('are none before there was GST', () => {
    expect(gstRatesAt(Date.UTC(2017, 5, 30))).toEqual([])
  })

  it('change by a row, in whatever order the rows stand', () => {
    const rows = [
      { effectiveFrom: '2030-01-01', rates: [0, 10], source: 'a later one' },
      { effectiveFrom: '2025-09-22', rates: [0, 5, 18, 40], source: 'an earlier one' },
    ]
    expect(gstRatesAt(Date.UTC(2031, 0, 1), rows)).toEqual([0, 10])
    expect(gstRatesAt(Date.UTC(2026, 0, 1), rows)).toEqual([0, 5, 18, 40])
  })
})

describe('GST inside a price', () => {
  it.each([
    [100n, 0, 0n],
    [299_800n, 18, 45_732n], // 45,732.20
    [105n, 5, 5n],
    [21n, 5, 1n],
    [118n, 18, 18n],
    [7n, 40, 2n],
    [59n, 18, 9n],
    [1n, 40, 0n], // 0.29
    [249n, 18, 38n], // 37.98
    [3n, 18, 0n], // 0.46
    [49n, 40, 14n],
    [63n, 12, 7n], // 6.75
    [14n, 12, 2n], // exactly 1.5: half up
  ])('of %s paise at %s percent is %s', (amount, rate, gst) => {
    expect(gstContained(paise(amount), rate)).toBe(gst)
  })

  it('is halved within a state, the odd paisa with SGST, and whole across states', () => {
    expect(splitGst(paise(45_733n), true)).toEqual({ cgst: 22_866n, sgst: 22_867n, igst: 0n })
    expect(splitGst(paise(45_733n), false)).toEqual({ cgst: 0n, sgst: 0n, igst: 45_733n })
  })

  it('has parts that add up, and never differs from the exact share by more than half a paisa', () => {
    const amount = fc.bigInt({ min: 0n, max: MAX_PAISE })
    fc.assert(
      fc.property(amount, fc.constantFrom(0, 5, 12, 18, 28, 40), fc.boolean(), (inclusive, rate, withinState) => {
        const gst = gstContained(paise(inclusive), rate)
        const parts = splitGst(gst, withinState)
        expect(parts.cgst + parts.sgst + parts.igst).toBe(gst)
        expect(withinState ? parts.igst : parts.cgst + parts.sgst).toBe(0n)
        expect([0n, withinState ? 1n : 0n]).toContain(parts.sgst - parts.cgst)
        const error = 2n * (gst * BigInt(100 + rate) - inclusive * BigInt(rate))
        expect(error <= BigInt(100 + rate) && error > -BigInt(100 + rate)).toBe(true)
      }),
    )
  })
})

describe('the price of an order', () => {
  it('is the catalogue’s, with GST by line', () => {
    expect(
      priceOrder(
        request({
          lines: [
            { sku: 'BOAT-141', quantity: 2 },
            { sku: 'NOTE-1', quantity: 1 },
          ],
          shipping: paise(4_900),
        }),
      ),
    ).toEqual({
      items: [
        {
          sku: 'BOAT-141',
          title: 'boAt Airdopes 141',
          category: 'audio',
          quantity: 2,
          unitPrice: '149900',
          gstRate: 18,
          hsn: '8518',
          lineTotal: '299800',
          gst: { cgst: '22866', sgst: '22866', igst: '0' },
        },
        {
          sku: 'NOTE-1',
          title: 'Classmate notebook',
          category: 'books',
          quantity: 1,
          unitPrice: '5001',
          gstRate: 5,
          lineTotal: '5001',
          gst: { cgst: '119', sgst: '119', igst: '0' },
        },
      ],
      totals: { subtotal: '304801', gst: { cgst: '22985', sgst: '22985', igst: '0' }, shipping: '4900', grandTotal: '309701' },
    })
  })

  it('carries IGST to another state', () => {
    expect(priceOrder(request({ buyerState: 'MH' }))).toMatchObject({ totals: { gst: { cgst: '0', sgst: '0', igst: '45732' } } })
  })

  it('knows that Odisha’s old and new letters are one state', () => {
    expect(priceOrder(request({ sellerState: 'OR', buyerState: 'OD' }))).toMatchObject({ totals: { gst: { igst: '0' } } })
  })

  it('refuses a product that is not there', () => {
    expect(priceOrder(request({ lines: [{ sku: 'NO-1', quantity: 1 }] }))).toMatchObject({ kind: 'rule', slug: 'unknown-product' })
  })

  it('refuses a product whose rate has ended', () => {
    const productOf = () => ({ ...airdopes, gstRate: 12 })
    expect(priceOrder(request({ productOf }))).toMatchObject({ slug: 'gst-rate-expired' })
    expect(priceOrder(request({ productOf, at_ms: Date.UTC(2025, 0, 1) }))).toMatchObject({ items: [{ gstRate: 12 }] })
  })

  it('refuses more than the platform handles', () => {
    const productOf = () => ({ ...airdopes, price: MAX_PAISE.toString() })
    expect(priceOrder(request({ productOf }))).toMatchObject({ slug: 'limit-exceeded' })
  })

  it('adds up', () => {
    const line = fc.record({
      price: fc.bigInt({ min: 1n, max: 10_000_000n }),
      quantity: fc.integer({ min: 1, max: 20 }),
      gstRate: fc.constantFrom(0, 5, 18, 40),
    })
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 20 }),
        fc.constantFrom(...STATE_CODES),
        fc.nat(10_000),
        (lines, buyerState, shipping) => {
          const priced = priceOrder(
            request({
              lines: lines.map(({ quantity }, index) => ({ sku: `${index}`, quantity })),
              productOf: (sku) => ({ ...airdopes, price: `${lines[Number(sku)]?.price}`, gstRate: lines[Number(sku)]?.gstRate ?? 0 }),
              buyerState,
              shipping: paise(shipping),
            }),
          )
          if (isRefusal(priced)) throw new Error(priced.slug)
          const { items, totals } = priced
          const expected = lines.reduce((sum, { price, quantity }) => sum + price * BigInt(quantity), 0n)
          expect(BigInt(totals.subtotal)).toBe(expected)
          expect(BigInt(totals.grandTotal)).toBe(expected + BigInt(shipping))
          for (const part of ['cgst', 'sgst', 'igst'] as const)
            expect(BigInt(totals.gst[part])).toBe(items.reduce((sum, { gst }) => sum + BigInt(gst[part]), 0n))
          expect(totals.gst[buyerState === 'KA' ? 'igst' : 'cgst']).toBe('0')
        },
      ),
    )
  })
})

describe('states', () => {
  it('have GST codes', () => {
    expect(gstStateCode('KA')).toBe('29')
    expect(gstStateCode('TG')).toBe(gstStateCode('TS'))
    expect(STATE_CODES.filter((state) => currentStateLetters(state) !== state)).toEqual(['UT', 'OR', 'CT', 'TG'])
    expect(STATE_CODES.map(currentStateLetters).map(gstStateCode)).toEqual(STATE_CODES.map(gstStateCode))
    expect(gstStateCode('XX')).toBeUndefined()
    expect(gstStateCode('constructor')).toBeUndefined()
    // 28 states and 8 union territories, four of them also by the letters they had before.
    expect(new Set(STATE_CODES.map(gstStateCode)).size).toBe(36)
  })
})
