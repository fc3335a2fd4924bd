import { describe, expect, it } from '@jest/globals'
import { fold } from '#kernel'
import { MAX_ON_HAND, stock, type StockEvent } from './index.js'

const received = (quantity: number): StockEvent => ({ type: 'StockReceived', data: { quantity, onHand: quantity, reserved: 0 } })
const tenOfWhichFourHeld: StockEvent[] = [
  received(10),
  { type: 'StockReserved', data: { orderId: 'o-1', quantity: 4, onHand: 10, reserved: 4 } },
]

const given = (...events: StockEvent[]) => fold(stock, events)

describe('stock', () => {
  it('receives', () => {
    expect(stock.decide({ type: 'receive', quantity: 5 }, given(...tenOfWhichFourHeld))).toEqual([
      { type: 'StockReceived', data: { quantity: 5, onHand: 15, reserved: 4 } },
    ])
  })

  it('adjusts up and down, with the reason kept', () => {
    expect(stock.decide({ type: 'adjust', quantity: -6, reason: 'water damage' }, given(...tenOfWhichFourHeld))).toEqual([
      { type: 'StockAdjusted', data: { quantity: -6, reason: 'water damage', onHand: 4, reserved: 4 } },
    ])
    expect(stock.decide({ type: 'adjust', quantity: 1, reason: 'found' }, given())).toEqual([
      { type: 'StockAdjusted', data: { quantity: 1, reason: 'found', onHand: 1, reserved: 0 } },
    ])
  })

  it('never adjusts below what orders hold', () => {
    expect(stock.decide({ type: 'adjust', quantity: -7, reason: 'theft' }, given(...tenOfWhichFourHeld))).toMatchObject({
      refused: true,
      kind: 'rule',
      slug: 'insufficient-stock',
    })
  })

  it('refuses more than a warehouse can hold', () => {
    expect(stock.decide({ type: 'receive', quantity: 1 }, given(received(MAX_ON_HAND)))).toMatchObject({ slug: 'stock-limit-exceeded' })
  })

  it('reserves the last unit and not one more', () => {
    expect(stock.decide({ type: 'reserve', orderId: 'o-2', quantity: 6 }, given(...tenOfWhichFourHeld))).toEqual([
      { type: 'StockReserved', data: { orderId: 'o-2', quantity: 6, onHand: 10, reserved: 10 } },
    ])
    expect(stock.decide({ type: 'reserve', orderId: 'o-2', quantity: 7 }, given(...tenOfWhichFourHeld))).toMatchObject({
      slug: 'out-of-stock',
      detail: '6 available, 7 asked for',
    })
  })

  it('takes no count that is none', () => {
    for (const quantity of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => stock.decide({ type: 'receive', quantity }, given())).toThrow(RangeError)
    expect(() => stock.decide({ type: 'adjust', quantity: 0, reason: 'x' }, given())).toThrow(RangeError)
  })

  it('cannot release what nobody holds', () => {
    expect(() => stock.decide({ type: 'release', orderId: 'o-1', quantity: 5 }, given(...tenOfWhichFourHeld))).toThrow(RangeError)
  })
})
