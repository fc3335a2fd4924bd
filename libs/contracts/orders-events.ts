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

/** How the order is to be paid. `instrument` seals what identifies a person's account (a VPA, a card's token); `display` is its masked form. */
export const PaymentChoice = Type.Object({
  method: PaymentMethod,
  walletId: Type.Optional(Id),
  flow: Type.Optional(Type.Union([Type.Literal('collect'), Type.Literal('intent')])),
  instrument: Type.Optional(Sealed),
  display: Type.Optional(Type.String()),
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

const sealedExample: Sealed = { subject: 'c-1', key: 'd3JhcHBlZA', nonce: 'bm9uY2U', ciphertext: 'Y2lwaGVy' }

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
      gst: { cgst: '22866', sgst: '22867', igst: '0' },
    },
  ],
  totals: { subtotal: '299800', gst: { cgst: '22866', sgst: '22867', igst: '0' }, shipping: '0', grandTotal: '299800' },
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

const cancelled = Type.Object({
  ...moved.properties,
  reason: CancellationReason,
  note: Type.Optional(Type.String()),
  /** True when the order had been CONFIRMED: the cancellation saga refunds and restocks; else the running saga compensates. */
  wasConfirmed: Type.Boolean(),
  items: Type.Array(Type.Object({ sku: Sku, quantity: Type.Integer({ minimum: 1 }) })),
})
export const OrderCancelled = defineMessage(ORDERS_EVENTS, 'OrderCancelled', 1, cancelled, {
  ...movedExample,
  by: 'c-1',
  reason: 'customer',
  wasConfirmed: true,
  items: [{ sku: 'BOAT-141', quantity: 2 }],
})
export type OrderCancelledData = Static<typeof cancelled>
