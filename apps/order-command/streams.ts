import { auditStream, type RecordedEvent, type StatesOf, type StreamRef } from '#event-store'
import { orderStream, productStream, type Order, type Product } from '#order'
import { reservationStream, stockStream, type Reservation, type Stock, type StockMoves } from '#stock'
import { eventTypes } from './event-types.js'

/** What this app's store keeps. */
export const streamTypes = [
  { ...orderStream, events: eventTypes.order },
  { ...productStream, events: eventTypes.product },
  { ...stockStream, events: eventTypes.stock },
  { ...reservationStream, events: eventTypes.reservation },
  auditStream,
]

export const orderRef = (orderId: string): StreamRef<Order> => ({ type: orderStream, id: orderId })
export const freshOrderRef = (orderId: string): StreamRef<Order> => ({ type: orderStream, id: orderId, fresh: true })
export const productRef = (sku: string): StreamRef<Product> => ({ type: productStream, id: sku })
export const stockRef = (sku: string): StreamRef<Stock> => ({ type: stockStream, id: sku })
export const reservationRef = (orderId: string): StreamRef<Reservation> => ({ type: reservationStream, id: orderId })
/** For a reservation that is probably the order's first: it need not be looked for. */
export const freshReservationRef = (orderId: string): StreamRef<Reservation> => ({ type: reservationStream, id: orderId, fresh: true })

/** The category and the id of an event's stream. No category has a hyphen, though ids do. */
export const streamOf = ({ stream }: Pick<RecordedEvent, 'stream'>): { readonly category: string; readonly id: string } => {
  const hyphen = stream.indexOf('-')
  return { category: stream.slice(0, hyphen), id: stream.slice(hyphen + 1) }
}

export const stockIn =
  (states: StatesOf) =>
  (sku: string): Stock =>
    states.of(stockRef(sku)).state

/** What moves with an order's reservation, as one append. */
export const appendsOf = (reservation: StreamRef<Reservation>, { reservation: events, stock }: StockMoves) => [
  { stream: reservation, events },
  ...stock.map((move) => ({ stream: stockRef(move.sku), events: move.events })),
]
