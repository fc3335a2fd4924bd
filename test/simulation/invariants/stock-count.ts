import type { JsonObject } from '#kernel'
import { Violation } from '../violation.js'
import type { SeenEvent } from './tail.js'

interface Count {
  received: number
  readonly orders: Map<string, number>
}

/** The warehouse counted by hand: invariant 3. */
export class StockCount {
  readonly #skus = new Map<string, Count>()
  readonly #reservations = new Map<string, 'reserved' | 'released'>()

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
    this.#reservations.set(orderId, type === 'ReservationMade' ? 'reserved' : 'released')
  }

  /** What the order holds, by sku. */
  heldBy(orderId: string): ReadonlyMap<string, number> {
    const held = new Map<string, number>()
    for (const [stream, { orders }] of this.#skus) {
      const quantity = orders.get(orderId)
      if (quantity !== undefined) held.set(stream.slice('stock-'.length), quantity)
    }
    return held
  }

  #countOf(stream: string): Count {
    let count = this.#skus.get(stream)
    if (!count) this.#skus.set(stream, (count = { received: 0, orders: new Map() }))
    return count
  }
}

export const linesOf = (data: JsonObject): ReadonlyMap<string, number> => {
  const items = data['items'] as readonly { readonly sku: string; readonly quantity: number }[]
  const lines = new Map<string, number>()
  for (const { sku, quantity } of items) lines.set(sku, (lines.get(sku) ?? 0) + quantity)
  return lines
}
