import { gstRatesAt } from '#order'
import { describe, expect, it } from '@jest/globals'
import { CATALOGUE } from './catalogue.js'

const by = <T>(of: (product: (typeof CATALOGUE)[number]) => T): Set<T> => new Set(CATALOGUE.map(of))

describe('the catalogue of the demo', () => {
  it('has at least 200 products in 8 categories, each once', () => {
    expect(CATALOGUE.length).toBeGreaterThanOrEqual(200)
    expect(by(({ category }) => category).size).toBe(8)
    expect(by(({ sku }) => sku).size).toBe(CATALOGUE.length)
  })

  it('names each in English and in Hindi', () => {
    const unnamed = CATALOGUE.filter(({ title, description }) => !/[A-Za-z]/.test(title) || !/\p{Script=Devanagari}/u.test(description))
    expect(unnamed).toEqual([])
  })

  it('gives each a GST rate in force since 22 September 2025 and an HSN code', () => {
    const rates = gstRatesAt(Date.parse('2025-09-22T00:00:00+05:30'))
    const wrong = CATALOGUE.filter(({ gstRate, hsn }) => !rates.includes(gstRate) || !/^(\d{4}|\d{6}|\d{8})$/.test(hsn))
    expect(wrong).toEqual([])
    expect(by(({ gstRate }) => gstRate).size).toBeGreaterThan(1)
  })

  // Schedules of Notification No. 9/2025-Central Tax (Rate): apparel (61, 62) and footwear (64) at 5 percent up to 2,500 rupees a piece, 18 above.
  it('taxes clothes and shoes by their price', () => {
    const worn = CATALOGUE.filter(({ hsn }) => /^6[124]/.test(hsn))
    expect(worn.length).toBeGreaterThan(10)
    for (const { gstRate, price } of worn) expect(gstRate).toBe(BigInt(price.amount) <= 250_000n ? 5 : 18)
  })

  // Printed books, HSN 4901, are exempt: Notification No. 10/2025-Central Tax (Rate).
  it('taxes no books', () => {
    const books = CATALOGUE.filter(({ hsn }) => hsn.startsWith('4901'))
    expect(books.length).toBeGreaterThan(0)
    expect(books.filter(({ gstRate }) => gstRate !== 0)).toEqual([])
  })
})
