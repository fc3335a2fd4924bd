import Type, { type Static } from 'typebox'
import { Amount, defineMessage, Id, Sealed, Sku, Timestamp, Version } from './define.js'

export const ORDERS_EVENTS = 'orders.events'

export const Gst = Type.Object({ cgst: Amount, sgst: Amount, igst: Amount })

export const OrderLine = Type.Object({
  sku: Sku,
  title: Type.String(),
  category: Type.String(),
  quantity: Type.Integer({ minimum: 1 }),
  unitPrice: Amount,
  gstRate: Type.Integer({ minimum: 0, maximum: 100 }),
  hsn: Type.Optional(Type.String()),
  lineTotal: Amount,
  gst: Gst,
})
export type OrderLine = Static<typeof OrderLine>

export const PaymentMethod = Type.Union([
  Type.Literal('wallet'),
  Type.Literal('upi'),
  Type.Literal('card'),
  Type.Literal('netbanking'),
  Type.Literal('cod'),
  Type.Literal('split'),
])

const instrument = {
  flow: Type.Optional(Type.Union([Type.Literal('collect'), Type.Literal('intent')])),
  instrument: Type.Optional(Sealed),
  display: Type.Optional(Type.String()),
}

/**
 * How the order is to be paid. `instrument` seals what identifies a person's account (a VPA, a card's token); `display` is its masked form.
 * A `split` takes `walletAmount` (more than 0, less than the grand total) from `walletId` and the rest by `other`.
 */
export const PaymentChoice = Type.Object({
  method: PaymentMethod,
  walletId: Type.Optional(Id),
  ...instrument,
  walletAmount: Type.Optional(Amount),
  /** The EMI or pay-later plan that a card, or a bank's page, is paid by. */
  plan: Type.Optional(Type.String({ maxLength: 32 })),
  other: Type.Optional(
    Type.Object({ method: Type.Union([Type.Literal('upi'), Type.Literal('card'), Type.Literal('netbanking')]), ...instrument }),
  ),
})
export type PaymentChoice = Static<typeof PaymentChoice>

const placed = Type.Object({
  orderId: Id,
  version: Version,
  customerId: Id,
  items: Type.Array(OrderLine, { minItems: 1, maxItems: 100 }),
  totals: Type.Object({ subtotal: Amount, gst: Gst, shipping: Amount, grandTotal: Amount }),
  /** The delivery address as sealed JSON of `rest.md`'s shape. */
  shippingAddress: Sealed,
  /** HMACs under the platform's fraud key: equal addresses and devices can be seen to be equal, and nothing more. */
  addressHash: Type.String(),
  deviceHash: Type.Optional(Type.String()),
  payment: PaymentChoice,
  placedAt: Timestamp,
})

const sealedExample: Sealed = { subject: 'c-1', nonce: 'bm9uY2U', ciphertext: 'Y2lwaGVy' }

export const OrderPlaced = defineMessage(ORDERS_EVENTS, 'OrderPlaced', 1, placed, {
  orderId: '0190a000-0000-7000-8000-000000000001',
  version: 1,
  customerId: 'c-1',
  items: [
    {
      sku: 'BOAT-141',
      title: 'boAt Airdopes 141',
      category: 'audio',
      quantity: 2,
      unitPrice: '149900',
      gstRate: 18,
      hsn: '8518',
      lineTotal: '299800',
      gst: { cgst: '22866', sgst: '22866', igst: '0' },
    },
  ],
  totals: { subtotal: '299800', gst: { cgst: '22866', sgst: '22866', igst: '0' }, shipping: '0', grandTotal: '299800' },
  shippingAddress: sealedExample,
  addressHash: '5f2b',
  payment: { method: 'wallet', walletId: '0190a000-0000-7000-8000-0000000000aa' },
  placedAt: '2026-11-01T10:00:00.000Z',
})
export type OrderPlacedData = Static<typeof placed>

const moved = Type.Object({ orderId: Id, version: Version, customerId: Id, at: Timestamp, by: Type.String() })
const movedExample = {
  orderId: '0190a000-0000-7000-8000-000000000001',
  version: 2,
  customerId: 'c-1',
  at: '2026-11-01T10:00:01.000Z',
  by: 'app:payment-saga',
}

/** The order waits for a person's decision on fraud: status `UNDER_REVIEW`. */
export const OrderReviewStarted = defineMessage(ORDERS_EVENTS, 'OrderReviewStarted', 1, moved, movedExample)
export const OrderConfirmed = defineMessage(ORDERS_EVENTS, 'OrderConfirmed', 1, moved, movedExample)

export const CancellationReason = Type.Union([
  Type.Literal('out-of-stock'),
  Type.Literal('payment-declined'),
  Type.Literal('payment-expired'),
  Type.Literal('fraud-declined'),
  Type.Literal('customer'),
  Type.Literal('merchant'),
])
export type CancellationReason = Static<typeof CancellationReason>

const OrderedUnits = Type.Array(Type.Object({ sku: Sku, quantity: Type.Integer({ minimum: 1 }) }), { minItems: 1, maxItems: 100 })

const cancelled = Type.Object({
  ...moved.properties,
  reason: CancellationReason,
  /** What the person who cancelled wrote, sealed under the customer's key. */
  note: Type.Optional(Sealed),
  /** True when the order had been CONFIRMED: the cancellation saga refunds and restocks; else the running saga compensates. */
  wasConfirmed: Type.Boolean(),
  items: OrderedUnits,
})
export const OrderCancelled = defineMessage(ORDERS_EVENTS, 'OrderCancelled', 1, cancelled, {
  ...movedExample,
  by: 'c-1',
  reason: 'customer',
  wasConfirmed: true,
  items: [{ sku: 'BOAT-141', quantity: 2 }],
})
export type OrderCancelledData = Static<typeof cancelled>

export const OrderPacked = defineMessage(ORDERS_EVENTS, 'OrderPacked', 1, moved, movedExample)

const shipped = Type.Object({ ...moved.properties, carrier: Type.String(), trackingNumber: Type.String() })
/** The goods left the warehouse: in the same commit the reservation is used up and `StockChanged` tells the lower `onHand`. From here on no cancellation. */
export const OrderShipped = defineMessage(ORDERS_EVENTS, 'OrderShipped', 1, shipped, {
  ...movedExample,
  carrier: 'Delhivery',
  trackingNumber: 'DL123456789IN',
})
export type OrderShippedData = Static<typeof shipped>

export const OrderOutForDelivery = defineMessage(ORDERS_EVENTS, 'OrderOutForDelivery', 1, moved, movedExample)

const delivered = Type.Object({ ...moved.properties, method: PaymentMethod, collected: Amount })
/**
 * The customer has the goods. `collected` is what the courier took at the door in paise: the grand total of a `cod` order, `0` of any other.
 * payment-saga answers where it is not 0: it books the collection, and `PaymentChanged` then shows it as `captured`. A repeat books nothing.
 */
export const OrderDelivered = defineMessage(ORDERS_EVENTS, 'OrderDelivered', 1, delivered, {
  ...movedExample,
  method: 'cod',
  collected: '299800',
})
export type OrderDeliveredData = Static<typeof delivered>

const returnRequested = Type.Object({
  ...moved.properties,
  items: OrderedUnits,
  /** What the customer wrote, sealed under their key. */
  reason: Sealed,
})
/** The customer wants to give back some of a delivered order. Neither money nor stock moves before it is accepted. */
export const OrderReturnRequested = defineMessage(ORDERS_EVENTS, 'OrderReturnRequested', 1, returnRequested, {
  ...movedExample,
  items: [{ sku: 'BOAT-141', quantity: 1 }],
  reason: sealedExample,
})
export type OrderReturnRequestedData = Static<typeof returnRequested>

const returned = Type.Object({
  ...moved.properties,
  method: PaymentMethod,
  /** `amount` is what was paid for the units that came back, GST included; `gst` the part of it that is tax, by line, so that a credit note can be written. */
  items: Type.Array(Type.Object({ sku: Sku, quantity: Type.Integer({ minimum: 1 }), amount: Amount, gst: Gst }), {
    minItems: 1,
    maxItems: 100,
  }),
  /** The sum of the lines' amounts, in paise: at most the order's subtotal. Shipping is not given back. */
  refund: Amount,
  gst: Gst,
})
/**
 * The merchant has taken goods back: they are on hand again in the same commit. Happens at most once to an order.
 * payment-saga answers where `refund` is not 0: it gives `refund` back by the way it was paid (of what is captured and not refunded yet), and `PaymentChanged` then shows it
 * in `refunded`. What was paid in cash goes back by a way that payment-saga decides. A repeat refunds nothing.
 */
export const OrderReturned = defineMessage(ORDERS_EVENTS, 'OrderReturned', 1, returned, {
  ...movedExample,
  method: 'wallet',
  items: [{ sku: 'BOAT-141', quantity: 1, amount: '149900', gst: { cgst: '11433', sgst: '11433', igst: '0' } }],
  refund: '149900',
  gst: { cgst: '11433', sgst: '11433', igst: '0' },
})
export type OrderReturnedData = Static<typeof returned>

const probed = Type.Object({ at: Timestamp })

/** Nothing happened: sent now and then, so that it is known how long what happens takes to be seen. */
export const VisibilityProbed = defineMessage(ORDERS_EVENTS, 'VisibilityProbed', 1, probed, { at: '2026-11-01T10:00:00.000Z' })
