import { type Decider, type JsonObject, type Refusal, refuse } from '#kernel'
import type { OrderContent, OrderedUnits } from './content.js'
import type { Cancellation, CancellationReason, OrderEvent } from './events.js'
import { checkReturn, returnedGoods } from './returns.js'
import { type OrderStatus, verdictOn } from './transitions.js'

export type Shipment = {
  readonly carrier: string
  readonly trackingNumber: string
  readonly shippedAt: string
  readonly outForDeliveryAt?: string
  readonly deliveredAt?: string
}

/** What the customer gives back, once they asked to; what is owed for it, once the merchant took it. `reason` is sealed and opaque. */
export type OrderReturn = {
  readonly items: readonly OrderedUnits[]
  readonly reason: JsonObject
  readonly requestedAt: string
  readonly acceptedAt?: string
  readonly refund?: string
}

export type PlacedOrder = OrderContent & {
  readonly status: OrderStatus
  readonly shipment?: Shipment
  readonly cancellation?: Cancellation
  readonly return?: OrderReturn
  readonly placedAt: string
  readonly updatedAt: string
}

/** Stream `order-<orderId>`; null before it is placed. */
export type Order = PlacedOrder | null

/** `at` is when it was decided, RFC 3339. */
export type OrderCommand =
  | { readonly type: 'place'; readonly content: OrderContent; readonly at: string }
  | { readonly type: 'startReview'; readonly at: string }
  | { readonly type: 'confirm'; readonly at: string }
  /** A person's: the customer or the merchant, any time before it is shipped, and once. */
  | { readonly type: 'cancel'; readonly reason: 'customer' | 'merchant'; readonly note?: JsonObject; readonly at: string }
  /** The payment saga's, which gives up: only before confirmation; already cancelled is what it wanted. */
  | { readonly type: 'giveUp'; readonly reason: CancellationReason; readonly at: string }
  | { readonly type: 'pack'; readonly at: string }
  | { readonly type: 'ship'; readonly carrier: string; readonly trackingNumber: string; readonly at: string }
  | { readonly type: 'sendOut'; readonly at: string }
  | { readonly type: 'deliver'; readonly at: string }
  /** Each sku once. Refused `return-exceeds-order` beyond what was ordered. */
  | { readonly type: 'requestReturn'; readonly items: readonly OrderedUnits[]; readonly reason: JsonObject; readonly at: string }
  | { readonly type: 'acceptReturn'; readonly at: string }

export const order: Decider<OrderCommand, Order, OrderEvent> = {
  initialState: null,

  decide(command, state): readonly OrderEvent[] | Refusal {
    if (command.type === 'place') {
      if (state !== null) return refuse('invalid-transition', 'the order has been placed already', 'conflict')
      return [{ type: 'OrderPlaced', data: { ...command.content, placedAt: command.at } }]
    }
    if (state === null) return refuse('unknown-order', 'there is no such order')
    const verdict = verdictOn(command.type, state.status)
    if (verdict === 'done') return []
    if (verdict !== 'moves') return refuse('invalid-transition', verdict.refused, 'conflict')
    const event = transition(command, state)
    return 'refused' in event ? event : [event]
  },

  evolve(state, event): Order {
    if (event.type === 'OrderPlaced') return { ...event.data, status: 'PLACED', updatedAt: event.data.placedAt }
    if (state === null) throw new Error(`${event.type} of an order that was never placed`)
    const moved = { ...state, status: statusAfter[event.type], updatedAt: event.data.at }
    switch (event.type) {
      case 'OrderReviewStarted':
      case 'OrderConfirmed':
      case 'OrderPacked':
        return moved
      case 'OrderCancelled':
        return { ...moved, cancellation: cancellationOf(event.data) }
      case 'OrderShipped': {
        const { carrier, trackingNumber, at } = event.data
        return { ...moved, shipment: { carrier, trackingNumber, shippedAt: at } }
      }
      case 'OrderOutForDelivery':
        return { ...moved, ...shipmentWith(state, { outForDeliveryAt: event.data.at }) }
      case 'OrderDelivered':
        return { ...moved, ...shipmentWith(state, { deliveredAt: event.data.at }) }
      case 'OrderReturnRequested': {
        const { items, reason, at } = event.data
        return { ...moved, return: { items, reason, requestedAt: at } }
      }
      case 'OrderReturned': {
        const { at, refund } = event.data
        return { ...moved, ...(state.return && { return: { ...state.return, acceptedAt: at, refund } }) }
      }
    }
  },
}

const statusAfter: Readonly<Record<Exclude<OrderEvent['type'], 'OrderPlaced'>, OrderStatus>> = {
  OrderReviewStarted: 'UNDER_REVIEW',
  OrderConfirmed: 'CONFIRMED',
  OrderCancelled: 'CANCELLED',
  OrderPacked: 'PACKED',
  OrderShipped: 'SHIPPED',
  OrderOutForDelivery: 'OUT_FOR_DELIVERY',
  OrderDelivered: 'DELIVERED',
  OrderReturnRequested: 'RETURN_REQUESTED',
  OrderReturned: 'RETURNED',
}

export const orderStream = {
  category: 'order',
  initialState: order.initialState,
  evolve: order.evolve,
  // Most of the delivered are never returned; a return brings its order back.
  closed: (state: Order) => state?.status === 'DELIVERED' || state?.status === 'CANCELLED' || state?.status === 'RETURNED',
  snapshotEvery: 0,
}

const transition = (command: Exclude<OrderCommand, { type: 'place' }>, state: PlacedOrder): OrderEvent | Refusal => {
  const moved = { customerId: state.customerId, at: command.at }
  const { method } = state.payment
  switch (command.type) {
    case 'startReview':
      return { type: 'OrderReviewStarted', data: moved }
    case 'confirm':
      return { type: 'OrderConfirmed', data: moved }
    case 'cancel':
    case 'giveUp': {
      const wasConfirmed = state.status !== 'PLACED' && state.status !== 'UNDER_REVIEW'
      return { type: 'OrderCancelled', data: { ...moved, ...cancellationOf(command), wasConfirmed, items: unitsOf(state) } }
    }
    case 'pack':
      return { type: 'OrderPacked', data: moved }
    case 'ship':
      return { type: 'OrderShipped', data: { ...moved, carrier: command.carrier, trackingNumber: command.trackingNumber } }
    case 'sendOut':
      return { type: 'OrderOutForDelivery', data: moved }
    case 'deliver':
      return { type: 'OrderDelivered', data: { ...moved, method, collected: method === 'cod' ? state.totals.grandTotal : '0' } }
    case 'requestReturn': {
      const { items, reason } = command
      return checkReturn(state.items, items) ?? { type: 'OrderReturnRequested', data: { ...moved, items, reason } }
    }
    case 'acceptReturn':
      return { type: 'OrderReturned', data: { ...moved, method, ...returnedGoods(state.items, state.return?.items ?? []) } }
  }
}

const unitsOf = ({ items }: PlacedOrder): readonly OrderedUnits[] => items.map(({ sku, quantity }) => ({ sku, quantity }))

const cancellationOf = (command: { readonly reason: CancellationReason; readonly note?: JsonObject }): Cancellation =>
  command.note === undefined ? { reason: command.reason } : { reason: command.reason, note: command.note }

const shipmentWith = ({ shipment }: PlacedOrder, more: Partial<Shipment>) => (shipment ? { shipment: { ...shipment, ...more } } : {})
