import { isRefusal, type Refusal, refuse } from '#kernel'
import { type Stock, stock, type StockEvent } from './stock.js'

/**
 * What one order holds, over all its skus. Stream `reservation-<orderId>`, written together with the streams of the skus.
 * It makes reserving and releasing idempotent by order, and remembers for good, at the price of one event, that an order was released: a
 * reservation that arrives after its release is refused however late it comes, and no set of released orders grows anywhere.
 */
export type Reservation =
  | { readonly status: 'none' }
  | { readonly status: 'reserved'; readonly lines: readonly ReservedLine[] }
  | { readonly status: 'released' }
  | { readonly status: 'shipped' }

export type ReservedLine = { readonly sku: string; readonly quantity: number }

export type ReservationEvent =
  | { readonly type: 'ReservationMade'; readonly data: { readonly lines: readonly ReservedLine[] } }
  /** `lines` is empty when there was nothing to give back. */
  | { readonly type: 'ReservationReleased'; readonly data: { readonly lines: readonly ReservedLine[] } }
  /** What was held has left the warehouse. */
  | { readonly type: 'ReservationShipped'; readonly data: { readonly lines: readonly ReservedLine[] } }

const evolve = (_state: Reservation, event: ReservationEvent): Reservation => {
  switch (event.type) {
    case 'ReservationMade':
      return { status: 'reserved', lines: event.data.lines }
    case 'ReservationReleased':
      return { status: 'released' }
    case 'ReservationShipped':
      return { status: 'shipped' }
  }
}

export const reservationStream = {
  category: 'reservation',
  initialState: { status: 'none' } as Reservation,
  evolve,
  closed: ({ status }: Reservation) => status === 'released' || status === 'shipped',
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
 * All lines or none; a sku on two lines counts as their sum. Already reserved, or shipped since: nothing more happens. Refused:
 * `out-of-stock`, naming the first sku that is short, and `reservation-released` after a release.
 */
export const reserveStock = (
  orderId: string,
  lines: readonly ReservedLine[],
  reservation: Reservation,
  stockOf: (sku: string) => Stock,
): StockMoves | Refusal => {
  if (reservation.status === 'reserved' || reservation.status === 'shipped') return nothing
  if (reservation.status === 'released') return refuse('reservation-released', 'the order was released before', 'conflict')
  const merged = mergeLines(lines)
  const moves = moveEach('reserve', orderId, merged, stockOf)
  return isRefusal(moves) ? moves : { reservation: [{ type: 'ReservationMade', data: { lines: merged } }], stock: moves }
}

/** Gives back what the order holds; nothing held, or no longer, is no refusal. From here on the order reserves nothing. */
export const releaseStock = (orderId: string, reservation: Reservation, stockOf: (sku: string) => Stock): StockMoves => {
  if (reservation.status === 'released' || reservation.status === 'shipped') return nothing
  const lines = reservation.status === 'reserved' ? reservation.lines : []
  const moves = moveEach('release', orderId, lines, stockOf)
  if (isRefusal(moves)) throw new Error(`a release is never refused: ${moves.slug}`)
  return { reservation: [{ type: 'ReservationReleased', data: { lines } }], stock: moves }
}

/** What the order holds leaves the warehouse. Refused `nothing-reserved` where it holds nothing. */
export const shipStock = (orderId: string, reservation: Reservation, stockOf: (sku: string) => Stock): StockMoves | Refusal => {
  if (reservation.status !== 'reserved') return refuse('nothing-reserved', 'the order holds no stock that could be shipped', 'conflict')
  const { lines } = reservation
  const moves = moveEach('ship', orderId, lines, stockOf)
  return isRefusal(moves) ? moves : { reservation: [{ type: 'ReservationShipped', data: { lines } }], stock: moves }
}

/** Units of a shipped order are on hand again. The order says how many can come back, and that they do so once. */
export const takeBackStock = (
  orderId: string,
  lines: readonly ReservedLine[],
  stockOf: (sku: string) => Stock,
): StockMoves['stock'] | Refusal => moveEach('takeBack', orderId, mergeLines(lines), stockOf)

/** All skus, or the refusal of the first that cannot. Each sku once. */
const moveEach = (
  type: 'reserve' | 'release' | 'ship' | 'takeBack',
  orderId: string,
  lines: readonly ReservedLine[],
  stockOf: (sku: string) => Stock,
): StockMoves['stock'] | Refusal => {
  const moves: { sku: string; events: readonly StockEvent[] }[] = []
  for (const { sku, quantity } of lines) {
    const events = stock.decide({ type, orderId, quantity }, stockOf(sku))
    if (isRefusal(events)) return { ...events, detail: `${sku}: ${events.detail}` }
    moves.push({ sku, events })
  }
  return moves
}

const mergeLines = (lines: readonly ReservedLine[]): readonly ReservedLine[] => {
  const bySku = new Map<string, number>()
  for (const { sku, quantity } of lines) bySku.set(sku, (bySku.get(sku) ?? 0) + quantity)
  return [...bySku].map(([sku, quantity]) => ({ sku, quantity }))
}
