import { eventType, EventTypes } from '#event-store'
import Type, { type TProperties } from 'typebox'

/**
 * What is written of orders, products, stock and reservations. These schemas are for good: one that changes is a new version, with an upcast
 * from the one before (`test/evolution` holds them to what was ever written). What a request may say is limited where it comes in, not here.
 */
const closed = (own: TProperties) => Type.Object(own, { additionalProperties: false })
const Paise = Type.String({ pattern: '^(0|[1-9][0-9]{0,17})$' })
const Id = Type.String({ minLength: 1, maxLength: 256 })
const Sku = Id
const Instant = Type.String({ minLength: 20, maxLength: 30 })
const Units = Type.Integer({ minimum: 0 })
const Sealed = closed({ subject: Type.String(), nonce: Type.String(), ciphertext: Type.String() })
const Gst = closed({ cgst: Paise, sgst: Paise, igst: Paise })

const unitsOfSku = { sku: Sku, quantity: Units }
const Lines = Type.Array(closed(unitsOfSku))

const instrument = {
  flow: Type.Optional(Type.Enum(['collect', 'intent'])),
  instrument: Type.Optional(Sealed),
  display: Type.Optional(Type.String()),
}
const Method = Type.Enum(['wallet', 'upi', 'card', 'netbanking', 'cod', 'split'])
const Payment = closed({
  ...instrument,
  method: Method,
  walletId: Type.Optional(Id),
  walletAmount: Type.Optional(Paise),
  plan: Type.Optional(Type.String()),
  other: Type.Optional(closed({ ...instrument, method: Type.Enum(['upi', 'card', 'netbanking']) })),
})

const OrderLine = closed({
  ...unitsOfSku,
  title: Type.String(),
  category: Type.String(),
  unitPrice: Paise,
  gstRate: Type.Number({ minimum: 0 }),
  hsn: Type.Optional(Type.String()),
  lineTotal: Paise,
  gst: Gst,
})

const placed = {
  customerId: Id,
  items: Type.Array(OrderLine),
  totals: closed({ subtotal: Paise, gst: Gst, shipping: Paise, grandTotal: Paise }),
  shippingAddress: Sealed,
  addressHash: Type.String(),
  deviceHash: Type.Optional(Type.String()),
  payment: Payment,
  placedAt: Instant,
}

const moved = { customerId: Id, at: Instant }
const orderMoved = (type: string, own: TProperties = {}) => eventType(type, closed({ ...moved, ...own }))

const orderEvents = new EventTypes([
  // 2: a payment may be by a plan; before, none was.
  eventType('OrderPlaced', closed(placed), (data) => data),
  orderMoved('OrderReviewStarted'),
  orderMoved('OrderConfirmed'),
  orderMoved('OrderCancelled', {
    reason: Type.Enum(['out-of-stock', 'payment-declined', 'payment-expired', 'fraud-declined', 'customer', 'merchant']),
    note: Type.Optional(Sealed),
    wasConfirmed: Type.Boolean(),
    items: Lines,
  }),
  orderMoved('OrderPacked'),
  orderMoved('OrderShipped', { carrier: Type.String(), trackingNumber: Type.String() }),
  orderMoved('OrderOutForDelivery'),
  orderMoved('OrderDelivered', { method: Method, collected: Paise }),
  orderMoved('OrderReturnRequested', { items: Lines, reason: Sealed }),
  orderMoved('OrderReturned', {
    items: Type.Array(closed({ ...unitsOfSku, amount: Paise, gst: Gst })),
    refund: Paise,
    gst: Gst,
    method: Method,
  }),
])

const product = closed({
  title: Type.String(),
  description: Type.Optional(Type.String()),
  category: Type.String(),
  brand: Type.Optional(Type.String()),
  price: Paise,
  gstRate: Type.Number({ minimum: 0 }),
  hsn: Type.Optional(Type.String()),
  attributes: Type.Optional(Type.Record(Type.String(), Type.String())),
})

const productEvents = new EventTypes([eventType('ProductDefined', product), eventType('ProductChanged', product)])

const levels = { quantity: Units, onHand: Units, reserved: Units }
const stockOfOrder = closed({ ...levels, orderId: Id })

const stockEvents = new EventTypes([
  eventType('StockReceived', closed(levels)),
  eventType('StockAdjusted', closed({ ...levels, quantity: Type.Integer(), reason: Type.String() })),
  eventType('StockReserved', stockOfOrder),
  eventType('StockReleased', stockOfOrder),
  eventType('StockShipped', stockOfOrder),
  eventType('StockReturned', stockOfOrder),
])

const reservation = closed({ lines: Lines })

const reservationEvents = new EventTypes([
  eventType('ReservationMade', reservation),
  eventType('ReservationReleased', reservation),
  eventType('ReservationShipped', reservation),
])

export const eventTypes = { order: orderEvents, product: productEvents, stock: stockEvents, reservation: reservationEvents }
