import { isRefusal, type Refusal, refuse } from '#kernel'
import { type Stock, stock, type StockEvent } from './stock.js'

/**
 * What one order holds, over all its skus. Stream `reservation-<orderId>`, written together with the streams of the skus.
 * It makes reserving and releasing idempotent by order, and remembers for good, at the price of one event, that an order was released: a
 * reservation that arrives after its release is refused however late it comes, and no set of released orders grows anywhere.
 */
export type Reservation =
  { readonly status: 'none' } | { readonly status: 'reserved'; readonly lines: readonly ReservedLine[] } | { readonly status: 'released' }

export type ReservedLine = { readonly sku: string; readonly quantity: number }

export type ReservationEvent =
  | { readonly type: 'ReservationMade'; readonly data: { readonly lines: readonly ReservedLine[] } }
  /** `lines` is empty when there was nothing to give back. */
  | { readonly type: 'ReservationReleased'; readonly data: { readonly lines: readonly ReservedLine[] } }

const evolve = (_state: Reservation, event: ReservationEvent): Reservation => {
  switch (event.type) {
    case 'ReservationMade':
      return { status: 'reserved', lines: event.data.lines }
    case 'ReservationReleased':
      return { status: 'released' }
  }
}

export const reservationStream = {
  category: 'reservation',
  initialState: { status: 'none' } as Reservation,
  evolve,
  snapshotEvery: 0,
}

/** What is to be appended, all or nothing. */
export interface StockMoves {
  readonly reservation: readonly ReservationEvent[]
  /** One entry per sku that moves. */
  readonly stock: readonly { readonly sku: string; readonly events: readonly StockEvent[] }[]
}

const nothing: StockMoves = { reservation: [], stock: [] }

/**
 * All lines or none; a sku on two lines counts as their sum. Already reserved: nothing more happens. Refused: `out-of-stock`, naming the
 * first sku that is short, and `reservation-released` after a release.
 */
export const reserveStock = (
  orderId: string,
  lines: readonly ReservedLine[],
  reservation: Reservation,
  stockOf: (sku: string) => Stock,
): StockMoves | Refusal => {
  if (reservation.status === 'reserved') return nothing
  if (reservation.status === 'released') return refuse('reservation-released', 'the order was released before', 'conflict')
  const merged = mergeLines(lines)
  const moves: { sku: string; events: readonly StockEvent[] }[] = []
  for (const { sku, quantity } of merged) {
    const events = stock.decide({ type: 'reserve', orderId, quantity }, stockOf(sku))
    if (isRefusal(events)) return refuse(events.slug, `${sku}: ${events.detail}`)
    moves.push({ sku, events })
  }
  return { reservation: [{ type: 'ReservationMade', data: { lines: merged } }], stock: moves }
}

/** Gives back what the order holds; nothing held is no refusal. From here on the order reserves nothing. */
export const releaseStock = (orderId: string, reservation: Reservation, stockOf: (sku: string) => Stock): StockMoves => {
  if (reservation.status === 'released') return nothing
  const lines = reservation.status === 'reserved' ? reservation.lines : []
  const moves = lines.map(({ sku, quantity }) => {
    const events = stock.decide({ type: 'release', orderId, quantity }, stockOf(sku))
    if (isRefusal(events)) throw new Error(`a release is never refused: ${events.slug}`)
    return { sku, events }
  })
  return { reservation: [{ type: 'ReservationReleased', data: { lines } }], stock: moves }
}

const mergeLines = (lines: readonly ReservedLine[]): readonly ReservedLine[] => {
  const bySku = new Map<string, number>()
  for (const { sku, quantity } of lines) bySku.set(sku, (bySku.get(sku) ?? 0) + quantity)
  return [...bySku].map(([sku, quantity]) => ({ sku, quantity }))
}
