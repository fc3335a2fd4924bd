import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isRefusal, type Refusal } from '#kernel'
import {
  available,
  MAX_ON_HAND,
  releaseStock,
  type Reservation,
  reservationStream,
  type ReservedLine,
  reserveStock,
  shipStock,
  type Stock,
  stock,
  takeBackStock,
} from './index.js'
import type { StockMoves } from './index.js'

/** A warehouse in memory: applies what is decided, as the store would, all or nothing. */
class Warehouse {
  readonly stocks = new Map<string, Stock>()
  readonly reservations = new Map<string, Reservation>()

  stockOf = (sku: string): Stock => this.stocks.get(sku) ?? stock.initialState
  reservationOf = (orderId: string): Reservation => this.reservations.get(orderId) ?? reservationStream.initialState

  receive(sku: string, quantity: number): void {
    this.apply('', { reservation: [], stock: [{ sku, events: accepted(stock.decide({ type: 'receive', quantity }, this.stockOf(sku))) }] })
  }

  reserve(orderId: string, lines: readonly ReservedLine[]): Refusal | undefined {
    const moves = reserveStock(orderId, lines, this.reservationOf(orderId), this.stockOf)
    if (isRefusal(moves)) return moves
    this.apply(orderId, moves)
    return undefined
  }

  release(orderId: string): void {
    this.apply(orderId, releaseStock(orderId, this.reservationOf(orderId), this.stockOf))
  }

  ship(orderId: string): Refusal | undefined {
    const moves = shipStock(orderId, this.reservationOf(orderId), this.stockOf)
    if (isRefusal(moves)) return moves
    this.apply(orderId, moves)
    return undefined
  }

  takeBack(orderId: string, lines: readonly ReservedLine[]): void {
    this.apply(orderId, { reservation: [], stock: accepted(takeBackStock(orderId, lines, this.stockOf)) })
  }

  apply(orderId: string, moves: StockMoves): void {
    for (const { sku, events } of moves.stock) this.stocks.set(sku, events.reduce(stock.evolve, this.stockOf(sku)))
    if (moves.reservation.length > 0)
      this.reservations.set(orderId, moves.reservation.reduce(reservationStream.evolve, this.reservationOf(orderId)))
  }
}

const accepted = <T>(decided: T | Refusal): T => {
  if (isRefusal(decided)) throw new Error(decided.slug)
  return decided
}

const warehouse = (levels: Record<string, number>): Warehouse => {
  const house = new Warehouse()
  for (const [sku, quantity] of Object.entries(levels)) house.receive(sku, quantity)
  return house
}

describe('a reservation', () => {
  it('holds every line', () => {
    const house = warehouse({ A: 5, B: 5 })
    const moves = reserveStock(
      'o-1',
      [
        { sku: 'A', quantity: 2 },
        { sku: 'B', quantity: 5 },
      ],
      house.reservationOf('o-1'),
      house.stockOf,
    )
    expect(moves).toEqual({
      reservation: [
        {
          type: 'ReservationMade',
          data: {
            lines: [
              { sku: 'A', quantity: 2 },
              { sku: 'B', quantity: 5 },
            ],
          },
        },
      ],
      stock: [
        { sku: 'A', events: [{ type: 'StockReserved', data: { orderId: 'o-1', quantity: 2, onHand: 5, reserved: 2 } }] },
        { sku: 'B', events: [{ type: 'StockReserved', data: { orderId: 'o-1', quantity: 5, onHand: 5, reserved: 5 } }] },
      ],
    })
  })

  it('holds nothing when one line is short, and names it', () => {
    const house = warehouse({ A: 5, B: 1 })
    const lines = [
      { sku: 'A', quantity: 2 },
      { sku: 'B', quantity: 2 },
    ]
    expect(house.reserve('o-1', lines)).toMatchObject({ slug: 'out-of-stock', detail: 'B: 1 available, 2 asked for' })
    expect(house.stockOf('A')).toEqual({ onHand: 5, reserved: 0 })
  })

  it('refuses a sku that was never received', () => {
    expect(warehouse({}).reserve('o-1', [{ sku: 'A', quantity: 1 }])).toMatchObject({ slug: 'out-of-stock' })
  })

  it('counts a sku on two lines as their sum', () => {
    const house = warehouse({ A: 3 })
    const twice = [
      { sku: 'A', quantity: 2 },
      { sku: 'A', quantity: 2 },
    ]
    expect(house.reserve('o-1', twice)).toMatchObject({ slug: 'out-of-stock' })
    house.receive('A', 1)
    expect(house.reserve('o-1', twice)).toBeUndefined()
    expect(house.stockOf('A')).toEqual({ onHand: 4, reserved: 4 })
  })

  it('is made once per order', () => {
    const house = warehouse({ A: 5 })
    house.reserve('o-1', [{ sku: 'A', quantity: 2 }])
    expect(house.reserve('o-1', [{ sku: 'A', quantity: 2 }])).toBeUndefined()
    expect(house.stockOf('A')).toEqual({ onHand: 5, reserved: 2 })
  })

  it('is given back once', () => {
    const house = warehouse({ A: 5 })
    house.reserve('o-1', [{ sku: 'A', quantity: 2 }])
    house.reserve('o-2', [{ sku: 'A', quantity: 3 }])
    house.release('o-1')
    house.release('o-1')
    expect(house.stockOf('A')).toEqual({ onHand: 5, reserved: 3 })
  })

  it('is refused when its release came first', () => {
    const house = warehouse({ A: 5 })
    house.release('o-1')
    expect(house.reserve('o-1', [{ sku: 'A', quantity: 2 }])).toMatchObject({ slug: 'reservation-released', kind: 'conflict' })
    expect(house.stockOf('A')).toEqual({ onHand: 5, reserved: 0 })
  })
})

describe('goods of an order', () => {
  it('leave the warehouse with what was reserved for them, once', () => {
    const house = warehouse({ A: 5, B: 4 })
    house.reserve('o-1', [
      { sku: 'A', quantity: 2 },
      { sku: 'B', quantity: 4 },
    ])
    expect(house.ship('o-1')).toBeUndefined()
    expect([house.stockOf('A'), house.stockOf('B')]).toEqual([
      { onHand: 3, reserved: 0 },
      { onHand: 0, reserved: 0 },
    ])
    expect(house.ship('o-1')).toMatchObject({ slug: 'nothing-reserved', kind: 'conflict' })
    house.release('o-1')
    expect(house.reserve('o-1', [{ sku: 'A', quantity: 2 }])).toBeUndefined()
    expect(house.stockOf('A')).toEqual({ onHand: 3, reserved: 0 })
  })

  it('are not shipped when they were never reserved, or are released', () => {
    const house = warehouse({ A: 5 })
    expect(house.ship('o-1')).toMatchObject({ slug: 'nothing-reserved' })
    house.reserve('o-1', [{ sku: 'A', quantity: 2 }])
    house.release('o-1')
    expect(house.ship('o-1')).toMatchObject({ slug: 'nothing-reserved' })
  })

  it('that come back can be sold again', () => {
    const house = warehouse({ A: 2 })
    house.reserve('o-1', [{ sku: 'A', quantity: 2 }])
    house.ship('o-1')
    expect(house.reserve('o-2', [{ sku: 'A', quantity: 1 }])).toMatchObject({ slug: 'out-of-stock' })
    house.takeBack('o-1', [{ sku: 'A', quantity: 1 }])
    expect(house.stockOf('A')).toEqual({ onHand: 1, reserved: 0 })
    expect(house.reserve('o-2', [{ sku: 'A', quantity: 1 }])).toBeUndefined()
  })

  it('are refused when the warehouse has no room for them', () => {
    const full = { onHand: MAX_ON_HAND, reserved: 0 }
    expect(takeBackStock('o-1', [{ sku: 'A', quantity: 1 }], () => full)).toMatchObject({
      slug: 'stock-limit-exceeded',
      detail: expect.stringMatching(/^A: /),
    })
  })
})

describe('stock under random commands', () => {
  const sku = fc.constantFrom('A', 'B', 'C')
  const orderId = fc.integer({ min: 1, max: 8 }).map((n) => `o-${n}`)
  const lines = fc.array(fc.record({ sku, quantity: fc.integer({ min: 1, max: 5 }) }), { minLength: 1, maxLength: 4 })
  const step = fc.oneof(
    fc.record({ do: fc.constant('receive' as const), sku, quantity: fc.integer({ min: 1, max: 10 }) }),
    fc.record({ do: fc.constant('adjust' as const), sku, quantity: fc.integer({ min: -10, max: 10 }).filter((n) => n !== 0) }),
    fc.record({ do: fc.constant('reserve' as const), orderId, lines }),
    fc.record({ do: fc.constant('release' as const), orderId }),
    fc.record({ do: fc.constant('ship' as const), orderId }),
  )

  it('is never oversold, and what is reserved is what the orders hold', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const house = new Warehouse()
        for (const one of steps) {
          if (one.do === 'receive') house.receive(one.sku, one.quantity)
          else if (one.do === 'adjust') {
            const events = stock.decide({ type: 'adjust', quantity: one.quantity, reason: 'count' }, house.stockOf(one.sku))
            if (!isRefusal(events)) house.apply('', { reservation: [], stock: [{ sku: one.sku, events }] })
          } else if (one.do === 'reserve') house.reserve(one.orderId, one.lines)
          else if (one.do === 'release') house.release(one.orderId)
          else {
            const before = house.reservationOf(one.orderId)
            const onHand = () => [...house.stocks.values()].reduce((sum, level) => sum + level.onHand, 0)
            const all = onHand()
            house.ship(one.orderId)
            const gone = before.status === 'reserved' ? before.lines.reduce((sum, { quantity }) => sum + quantity, 0) : 0
            expect(onHand()).toBe(all - gone)
          }

          for (const [name, level] of house.stocks) {
            const held = [...house.reservations.values()]
              .flatMap((reservation) => (reservation.status === 'reserved' ? reservation.lines : []))
              .filter((line) => line.sku === name)
              .reduce((sum, { quantity }) => sum + quantity, 0)
            expect(level.reserved).toBe(held)
            expect(available(level)).toBeGreaterThanOrEqual(0)
            expect(level.onHand).toBe(available(level) + level.reserved)
          }
        }
      }),
    )
  })
})
