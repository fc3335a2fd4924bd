import type { JsonObject } from '#kernel'
import { Violation } from '../violation.js'
import type { SeenEvent } from './tail.js'

interface Count {
  received: number
  readonly orders: Map<string, number>
  /** What is with customers. */
  readonly shipped: Map<string, number>
}

/** The warehouse counted by hand: invariant 3. */
export class StockCount {
  readonly #skus = new Map<string, Count>()
  readonly #reservations = new Map<string, 'reserved' | 'released' | 'shipped'>()

  takeStock({ stream, type, data }: SeenEvent): void {
    const count = this.#countOf(stream)
    const quantity = Number(data['quantity'])
    const orderId = String(data['orderId'])
    switch (type) {
      case 'StockReceived':
      case 'StockAdjusted':
        count.received += quantity
        break
      case 'StockReserved':
        if (count.orders.has(orderId)) throw new Violation(5, `${stream}: order ${orderId} reserved twice`)
        count.orders.set(orderId, quantity)
        break
      case 'StockReleased':
        if (count.orders.get(orderId) !== quantity) throw new Violation(3, `${stream}: order ${orderId} released what it had not reserved`)
        count.orders.delete(orderId)
        break
      case 'StockShipped':
        if (count.orders.get(orderId) !== quantity) throw new Violation(3, `${stream}: order ${orderId} shipped what it had not reserved`)
        count.orders.delete(orderId)
        count.shipped.set(orderId, quantity)
        count.received -= quantity
        break
      case 'StockReturned': {
        const shipped = count.shipped.get(orderId) ?? 0
        if (quantity > shipped) throw new Violation(3, `${stream}: order ${orderId} gave back ${quantity} of ${shipped} shipped`)
        count.shipped.set(orderId, shipped - quantity)
        count.received += quantity
        break
      }
    }
    const reserved = [...count.orders.values()].reduce((sum, each) => sum + each, 0)
    if (data['onHand'] !== count.received || data['reserved'] !== reserved)
      throw new Violation(
        3,
        `${stream} says ${String(data['onHand'])} on hand, ${String(data['reserved'])} reserved; counted ${count.received} and ${reserved}`,
      )
    if (reserved > count.received) throw new Violation(3, `${stream}: ${reserved} sold of ${count.received}`)
  }

  takeReservation({ stream, type }: SeenEvent): void {
    const orderId = stream.slice('reservation-'.length)
    const before = this.#reservations.get(orderId)
    if (type === 'ReservationMade' && before !== undefined) throw new Violation(5, `order ${orderId} reserved again after ${before}`)
    if (type === 'ReservationShipped' && before !== 'reserved')
      throw new Violation(3, `order ${orderId} shipped after ${before ?? 'nothing'}`)
    if (type === 'ReservationReleased' && before === 'shipped') throw new Violation(3, `order ${orderId} released after it was shipped`)
    this.#reservations.set(orderId, statusAfter[type] ?? 'released')
  }

  /** What the order holds, by sku. */
  heldBy(orderId: string): ReadonlyMap<string, number> {
    return this.#unitsOf(orderId, ({ orders }) => orders)
  }

  /** What its customer has of it, by sku. */
  withCustomerOf(orderId: string): ReadonlyMap<string, number> {
    return this.#unitsOf(orderId, ({ shipped }) => shipped)
  }

  #unitsOf(orderId: string, pick: (count: Count) => ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const units = new Map<string, number>()
    for (const [stream, count] of this.#skus) {
      const quantity = pick(count).get(orderId) ?? 0
      if (quantity > 0) units.set(stream.slice('stock-'.length), quantity)
    }
    return units
  }

  #countOf(stream: string): Count {
    let count = this.#skus.get(stream)
    if (!count) this.#skus.set(stream, (count = { received: 0, orders: new Map(), shipped: new Map() }))
    return count
  }
}

const statusAfter: Readonly<Record<string, 'reserved' | 'released' | 'shipped'>> = {
  ReservationMade: 'reserved',
  ReservationReleased: 'released',
  ReservationShipped: 'shipped',
}

export const linesOf = (data: JsonObject): ReadonlyMap<string, number> => {
  const items = data['items'] as readonly { readonly sku: string; readonly quantity: number }[]
  const lines = new Map<string, number>()
  for (const { sku, quantity } of items) lines.set(sku, (lines.get(sku) ?? 0) + quantity)
  return lines
}
