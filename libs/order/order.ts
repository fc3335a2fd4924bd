import { type Decider, type JsonObject, type Refusal, refuse } from '#kernel'

/** Stream `order-<orderId>`. Amounts are paise as decimal strings; times are RFC 3339 in UTC. */
export type OrderStatus =
  | 'PLACED'
  | 'UNDER_REVIEW'
  | 'CONFIRMED'
  | 'PACKED'
  | 'SHIPPED'
  | 'OUT_FOR_DELIVERY'
  | 'DELIVERED'
  | 'CANCELLED'
  | 'RETURN_REQUESTED'
  | 'RETURNED'

export type CancellationReason = 'out-of-stock' | 'payment-declined' | 'payment-expired' | 'fraud-declined' | 'customer' | 'merchant'

export type GstParts = { readonly cgst: string; readonly sgst: string; readonly igst: string }

export type OrderLine = {
  readonly sku: string
  readonly title: string
  readonly category: string
  readonly quantity: number
  readonly unitPrice: string
  readonly gstRate: number
  readonly hsn?: string
  readonly lineTotal: string
  /** Contained in `lineTotal`. */
  readonly gst: GstParts
}

export type OrderTotals = { readonly subtotal: string; readonly gst: GstParts; readonly shipping: string; readonly grandTotal: string }

/** How it is to be paid. `instrument` is opaque here: what identifies a person's account, sealed; `display` is its masked form. */
export type PaymentChoice = {
  readonly method: 'wallet' | 'upi' | 'card' | 'netbanking' | 'cod'
  readonly walletId?: string
  readonly flow?: 'collect' | 'intent'
  readonly instrument?: JsonObject
  readonly display?: string
}

/** What an order is made of, fixed when it is placed. Personal data is sealed and opaque. */
export type OrderContent = {
  readonly customerId: string
  readonly items: readonly OrderLine[]
  readonly totals: OrderTotals
  readonly shippingAddress: JsonObject
  readonly addressHash: string
  readonly deviceHash?: string
  readonly payment: PaymentChoice
}

export type Cancellation = { readonly reason: CancellationReason; readonly note?: string }

export type PlacedOrder = OrderContent & {
  readonly status: OrderStatus
  readonly cancellation?: Cancellation
  readonly placedAt: string
  readonly updatedAt: string
}

/** Null before it is placed. */
export type Order = PlacedOrder | null

type Moved = { readonly customerId: string; readonly at: string }

export type OrderEvent =
  | { readonly type: 'OrderPlaced'; readonly data: OrderContent & { readonly placedAt: string } }
  | { readonly type: 'OrderReviewStarted'; readonly data: Moved }
  | { readonly type: 'OrderConfirmed'; readonly data: Moved }
  | {
      readonly type: 'OrderCancelled'
      readonly data: Moved &
        Cancellation & {
          /** Whether the payment's saga had finished with it: then a cancellation has money to refund and stock to give back. */
          readonly wasConfirmed: boolean
          readonly items: readonly { readonly sku: string; readonly quantity: number }[]
        }
    }

/** `at` is when it was decided, RFC 3339. */
export type OrderCommand =
  | { readonly type: 'place'; readonly content: OrderContent; readonly at: string }
  | { readonly type: 'startReview'; readonly at: string }
  | { readonly type: 'confirm'; readonly at: string }
  /** A person's: the customer or the merchant, any time before it is shipped, and once. */
  | { readonly type: 'cancel'; readonly reason: 'customer' | 'merchant'; readonly note?: string; readonly at: string }
  /** The payment saga's, which gives up: only before confirmation; already cancelled is what it wanted. */
  | { readonly type: 'giveUp'; readonly reason: CancellationReason; readonly at: string }

/**
 * Which commands move an order on from where it is, which find their work already done, and which are refused `invalid-transition`. A repeat
 * of the saga's is already done; a person who cancels twice is told so.
 */
type Verdict = 'moves' | 'done' | 'refused'
type Transition = Exclude<OrderCommand['type'], 'place'>

const verdicts: Readonly<Record<OrderStatus, Readonly<Record<Transition, Verdict>>>> = {
  PLACED: { startReview: 'moves', confirm: 'moves', cancel: 'moves', giveUp: 'moves' },
  UNDER_REVIEW: { startReview: 'done', confirm: 'moves', cancel: 'moves', giveUp: 'moves' },
  CONFIRMED: { startReview: 'refused', confirm: 'done', cancel: 'moves', giveUp: 'refused' },
  PACKED: { startReview: 'refused', confirm: 'done', cancel: 'moves', giveUp: 'refused' },
  SHIPPED: { startReview: 'refused', confirm: 'done', cancel: 'refused', giveUp: 'refused' },
  OUT_FOR_DELIVERY: { startReview: 'refused', confirm: 'done', cancel: 'refused', giveUp: 'refused' },
  DELIVERED: { startReview: 'refused', confirm: 'done', cancel: 'refused', giveUp: 'refused' },
  CANCELLED: { startReview: 'refused', confirm: 'refused', cancel: 'refused', giveUp: 'done' },
  RETURN_REQUESTED: { startReview: 'refused', confirm: 'done', cancel: 'refused', giveUp: 'refused' },
  RETURNED: { startReview: 'refused', confirm: 'done', cancel: 'refused', giveUp: 'refused' },
}

/** What the refused command would have made of the order. */
const aims: Readonly<Record<Transition, string>> = {
  startReview: 'put under review',
  confirm: 'confirmed',
  cancel: 'cancelled',
  giveUp: 'cancelled',
}

export const order: Decider<OrderCommand, Order, OrderEvent> = {
  initialState: null,

  decide(command, state): readonly OrderEvent[] | Refusal {
    if (command.type === 'place') {
      if (state !== null) return refuse('invalid-transition', 'the order has been placed already', 'conflict')
      return [{ type: 'OrderPlaced', data: { ...command.content, placedAt: command.at } }]
    }
    if (state === null) return refuse('unknown-order', 'there is no such order')
    const verdict = verdicts[state.status][command.type]
    if (verdict === 'done') return []
    if (verdict === 'refused')
      return refuse('invalid-transition', `an order that is ${state.status} cannot be ${aims[command.type]}`, 'conflict')
    return [transition(command, state)]
  },

  evolve(state, event): Order {
    if (event.type === 'OrderPlaced') return { ...event.data, status: 'PLACED', updatedAt: event.data.placedAt }
    if (state === null) throw new Error(`${event.type} of an order that was never placed`)
    switch (event.type) {
      case 'OrderReviewStarted':
        return { ...state, status: 'UNDER_REVIEW', updatedAt: event.data.at }
      case 'OrderConfirmed':
        return { ...state, status: 'CONFIRMED', updatedAt: event.data.at }
      case 'OrderCancelled':
        return { ...state, status: 'CANCELLED', cancellation: cancellationOf(event.data), updatedAt: event.data.at }
    }
  },
}

export const orderStream = {
  category: 'order',
  initialState: order.initialState,
  evolve: order.evolve,
  snapshotEvery: 0,
}

const transition = (command: Exclude<OrderCommand, { type: 'place' }>, state: PlacedOrder): OrderEvent => {
  const moved = { customerId: state.customerId, at: command.at }
  switch (command.type) {
    case 'startReview':
      return { type: 'OrderReviewStarted', data: moved }
    case 'confirm':
      return { type: 'OrderConfirmed', data: moved }
    case 'cancel':
    case 'giveUp': {
      const wasConfirmed = state.status !== 'PLACED' && state.status !== 'UNDER_REVIEW'
      const items = state.items.map(({ sku, quantity }) => ({ sku, quantity }))
      return { type: 'OrderCancelled', data: { ...moved, ...cancellationOf(command), wasConfirmed, items } }
    }
  }
}

const cancellationOf = ({ reason, note }: Cancellation): Cancellation => (note === undefined ? { reason } : { reason, note })
