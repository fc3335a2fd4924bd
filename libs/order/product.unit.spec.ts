import { describe, expect, it } from '@jest/globals'
import { fold } from '#kernel'
import { product, type ProductDetails, type ProductEvent } from './index.js'

const airdopes: ProductDetails = {
  title: 'boAt Airdopes 141',
  category: 'audio',
  price: '149900',
  gstRate: 18,
  attributes: { colour: 'black', battery: '42 h' },
}
const defined: ProductEvent = { type: 'ProductDefined', data: airdopes }
const when = (given: ProductEvent[], details: ProductDetails) => product.decide({ type: 'define', details }, fold(product, given))

describe('a product', () => {
  it('is defined', () => {
    expect(when([], airdopes)).toEqual([defined])
  })

  it('is changed as a whole', () => {
    const cheaper = { title: 'boAt Airdopes 141', category: 'audio', price: '129900', gstRate: 18 }
    expect(when([defined], cheaper)).toEqual([{ type: 'ProductChanged', data: cheaper }])
    expect(fold(product, [defined, { type: 'ProductChanged', data: cheaper }])).toEqual(cheaper)
  })

  it('is not changed by what it already is, in whatever order its attributes stand', () => {
    expect(when([defined], { ...airdopes, attributes: { battery: '42 h', colour: 'black' } })).toEqual([])
  })

  it.each([
    { title: 'x' },
    { description: 'x' },
    { category: 'x' },
    { brand: 'x' },
    { price: '1' },
    { gstRate: 5 },
    { hsn: '8518' },
    { attributes: { colour: 'black' } },
    { attributes: { colour: 'black', size: '42 h' } },
    { attributes: { colour: 'red', battery: '42 h' } },
  ])('is changed by %j', (change) => {
    expect(when([defined], { ...airdopes, ...change })).toHaveLength(1)
  })
})
