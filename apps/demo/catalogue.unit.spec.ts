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

  /**
   * Percent by heading, of Schedules I (5) and II (18) of Notification No. 9/2025-Central Tax (Rate), and of Notification No. 10/2025 (exempt).
   * Apparel and footwear are in both: at 5 up to 2,500 rupees a piece or pair.
   */
  const RATES: Readonly<Record<string, number | 'by price'>> = {
    '0405': 5, // ghee
    '0902': 5, // tea
    '0910': 5, // turmeric
    '1006': 5, // rice, pre-packaged and labelled
    '1514': 5, // mustard oil
    '1905': 5, // biscuits
    '3304': 5, // talcum powder
    '3305': 5, // hair oil, shampoo
    '3306': 5, // toothpaste
    '3307': 5, // shaving cream
    '3401': 5, // toilet soap in bars
    '4901': 0, // printed books
    '4903': 0, // children's picture books
    '4905': 0, // maps and atlases
    '5007': 5, // woven fabrics of silk: a saree
    '6109': 'by price',
    '6203': 'by price',
    '6205': 'by price',
    '6214': 'by price',
    '6403': 'by price',
    '7323': 5, // household articles of iron or steel
    '7615': 5, // household articles of aluminium
    '8471': 18, // computers
    '8504': 18, // chargers
    '8507': 18, // power banks
    '8517': 18, // phones
    '8518': 18, // headphones, loudspeakers
    '8523': 18, // USB drives
    '8528': 18, // monitors
  }
  const rateOf = ({ hsn, price }: (typeof CATALOGUE)[number]): number | undefined => {
    const rate = RATES[hsn]
    return rate === 'by price' ? (BigInt(price.amount) <= 250_000n ? 5 : 18) : rate
  }

  it('taxes each heading as the schedules do', () => {
    expect(
      CATALOGUE.filter((product) => product.gstRate !== rateOf(product)).map(({ title, hsn, gstRate }) => [title, hsn, gstRate]),
    ).toEqual([])
    expect([...by(({ hsn }) => hsn)].sort()).toEqual(Object.keys(RATES).sort())
  })

  it('has clothes and shoes on both sides of 2,500 rupees, and a saree above', () => {
    expect(new Set(CATALOGUE.filter(({ hsn }) => RATES[hsn] === 'by price').map(({ gstRate }) => gstRate))).toEqual(new Set([5, 18]))
    expect(CATALOGUE.some(({ hsn, price }) => hsn === '5007' && BigInt(price.amount) > 250_000n)).toBe(true)
  })
})
