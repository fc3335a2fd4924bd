import {
  AlertDecided,
  OrderCancelled,
  OrderConfirmed,
  OrderDelivered,
  OrderOutForDelivery,
  OrderPacked,
  OrderPlaced,
  OrderReturned,
  OrderReturnRequested,
  OrderReviewStarted,
  OrderShipped,
  PaymentChanged,
  ProductChanged,
  StockChanged,
  TransactionScored,
  type CancellationReason,
  type OrderPlacedData,
  type PaymentChoice,
  type PaymentChangedData,
  type ProductChangedData,
} from '#contracts'
import { formatRupees, paise, type IncomingMessage } from '#kernel'
import { on, upsert, type Place, type Projection, type Upsert } from '#projections'
import type { OrderStatus } from '#order'
import type { OrderRow } from './read-models/order.entity.js'
import { history, orders, payments, products, stock } from './read-models/tables.js'

/** The kinds of stream whose versions the projection keeps under the names that consistency tokens use. */
export const PROJECTED_CATEGORIES = ['order', 'product', 'stock'] as const

interface Moved {
  readonly orderId: string
  readonly version: number
  readonly at: string
  readonly by: string
}

const orderPlace = ({ orderId, version }: { orderId: string; version: number }): Place => ({ stream: `order-${orderId}`, version })

/**
 * Several sagas speak of one order's payment, each counting its own versions, and scores have none. What puts them in order is where they stand in
 * their publisher's store.
 */
const storePlace =
  (kind: 'payment' | 'score') =>
  ({ orderId }: { readonly orderId: string }, { origin }: IncomingMessage): Place => ({
    stream: `${kind}-${orderId}`,
    version: origin.position,
  })

interface Told {
  readonly at: string
  readonly by: string
  readonly summary: string
  readonly staffOnly?: boolean
}

const tell = (orderId: string, { stream, version }: Place, message: IncomingMessage, { at, by, summary, staffOnly }: Told): Upsert =>
  upsert(history, {
    orderId,
    stream,
    version: version.toString(),
    incarnation: message.origin.incarnation,
    at: new Date(at),
    type: message.type,
    by,
    summary,
    staffOnly: staffOnly ?? false,
  })

const moved = (data: Moved, message: IncomingMessage, status: OrderStatus, summary: string, more: Partial<OrderRow> = {}) => [
  upsert(orders, { orderId: data.orderId, status, version: data.version, updatedAt: new Date(data.at), ...more }),
  tell(data.orderId, orderPlace(data), message, { at: data.at, by: data.by, summary }),
]

const placed = (data: OrderPlacedData): Partial<OrderRow> => {
  return {
    orderId: data.orderId,
    customerId: data.customerId,
    status: 'PLACED',
    version: data.version,
    items: data.items,
    subtotal: data.totals.subtotal,
    cgst: data.totals.gst.cgst,
    sgst: data.totals.gst.sgst,
    igst: data.totals.gst.igst,
    shipping: data.totals.shipping,
    grandTotal: data.totals.grandTotal,
    shippingAddress: data.shippingAddress,
    paymentChoice: withoutInstrument(data.payment),
    cancellation: null,
    searchText: [data.orderId, ...data.items.flatMap(({ sku, title, category }) => [sku, title, category])].join(' '),
    placedAt: new Date(data.placedAt),
    updatedAt: new Date(data.placedAt),
  }
}

/** The sealed instruments stay with those who charge them. */
const withoutInstrument = (payment: PaymentChoice): OrderRow['paymentChoice'] => {
  const { instrument: _, other, ...choice } = payment
  if (!other) return choice
  const { instrument: __, ...rest } = other
  return { ...choice, other: rest }
}

const product = (data: ProductChangedData) =>
  upsert(products, {
    sku: data.sku,
    version: data.version,
    title: data.title,
    description: data.description ?? null,
    category: data.category,
    brand: data.brand ?? null,
    price: data.price,
    gstRate: data.gstRate,
    hsn: data.hsn ?? null,
    attributes: data.attributes ?? null,
    updatedAt: new Date(data.at),
  })

const payment = (data: PaymentChangedData) =>
  upsert(payments, {
    orderId: data.orderId,
    paymentId: data.paymentId,
    status: data.status,
    method: data.method,
    amount: data.amount,
    authorised: data.authorised,
    captured: data.captured,
    refunded: data.refunded,
    updatedAt: new Date(data.at),
  })

const CANCELLED_BECAUSE: Readonly<Record<CancellationReason, string>> = {
  'out-of-stock': 'the goods were out of stock',
  'payment-declined': 'the payment was declined',
  'payment-expired': 'the payment was not made in time',
  'fraud-declined': 'a check declined it',
  customer: 'the customer cancelled it',
  merchant: 'the merchant cancelled it',
}

const rupees = (amount: string): string => `INR ${formatRupees(paise(amount))}`

const unitsText = (items: readonly { readonly quantity: number }[]): string => {
  const count = items.reduce((sum, { quantity }) => sum + quantity, 0)
  return count === 1 ? 'one unit' : `${count} units`
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const paymentSummary = ({ status, method, amount, authorised, captured, refunded }: PaymentChangedData): string => {
  const parts = [
    [authorised, 'authorised'],
    [captured, 'captured'],
    [refunded, 'refunded'],
  ] as const
  const done = parts.filter(([part]) => part !== '0').map(([part, word]) => `${rupees(part)} ${word}`)
  return `Payment of ${rupees(amount)} by ${method} is ${status}${done.length > 0 ? `: ${done.join(', ')}` : ''}.`
}

/** All read models of this app. Pure: the simulator runs it over rows in memory. */
export const orderQueryProjection: Projection = {
  name: 'order-query',
  handlers: [
    on(OrderPlaced, orderPlace, (data, message) => [
      upsert(orders, placed(data)),
      tell(data.orderId, orderPlace(data), message, {
        at: data.placedAt,
        by: data.customerId,
        summary: `Placed for ${rupees(data.totals.grandTotal)}, ${data.items.length} ${data.items.length === 1 ? 'line' : 'lines'}.`,
      }),
    ]),
    on(OrderReviewStarted, orderPlace, (data, message) => moved(data, message, 'UNDER_REVIEW', 'A person looks at it before it goes on.')),
    on(OrderConfirmed, orderPlace, (data, message) => moved(data, message, 'CONFIRMED', 'Confirmed.')),
    on(OrderCancelled, orderPlace, (data, message) =>
      moved(data, message, 'CANCELLED', `Cancelled: ${CANCELLED_BECAUSE[data.reason]}.`, {
        cancellation: { reason: data.reason, ...(data.note !== undefined && { note: data.note }), at: data.at, by: data.by },
      }),
    ),
    on(OrderPacked, orderPlace, (data, message) => moved(data, message, 'PACKED', 'Packed.')),
    on(OrderShipped, orderPlace, (data, message) => {
      const { carrier, trackingNumber, at } = data
      const shipment = { carrier, trackingNumber, shippedAt: new Date(at), outForDeliveryAt: null, deliveredAt: null }
      return moved(data, message, 'SHIPPED', `Shipped with ${carrier}, ${trackingNumber}.`, shipment)
    }),
    on(OrderOutForDelivery, orderPlace, (data, message) =>
      moved(data, message, 'OUT_FOR_DELIVERY', 'Out for delivery.', { outForDeliveryAt: new Date(data.at) }),
    ),
    on(OrderDelivered, orderPlace, (data, message) => {
      const paid = data.collected === '0' ? '' : `, ${rupees(data.collected)} paid at the door`
      return moved(data, message, 'DELIVERED', `Delivered${paid}.`, { deliveredAt: new Date(data.at) })
    }),
    on(OrderReturnRequested, orderPlace, (data, message) =>
      moved(data, message, 'RETURN_REQUESTED', `A return of ${unitsText(data.items)} was asked for.`, {
        returnItems: data.items,
        returnReason: data.reason,
        returnRequestedAt: new Date(data.at),
        returnAcceptedAt: null,
        refund: null,
      }),
    ),
    on(OrderReturned, orderPlace, (data, message) =>
      moved(data, message, 'RETURNED', `${capital(unitsText(data.items))} taken back: ${rupees(data.refund)} to be refunded.`, {
        returnAcceptedAt: new Date(data.at),
        refund: data.refund,
      }),
    ),
    on(
      ProductChanged,
      ({ sku, version }) => ({ stream: `product-${sku}`, version }),
      (data) => [product(data)],
    ),
    on(
      StockChanged,
      ({ sku, version }) => ({ stream: `stock-${sku}`, version }),
      ({ sku, version, onHand, reserved, available, at }) => [
        upsert(stock, { sku, version, onHand, reserved, available, updatedAt: new Date(at) }),
      ],
    ),
    on(PaymentChanged, storePlace('payment'), (data, message) => [
      payment(data),
      tell(data.orderId, storePlace('payment')(data, message), message, {
        at: data.at,
        by: `app:${message.source}`,
        summary: paymentSummary(data),
      }),
    ]),
    on(TransactionScored, storePlace('score'), (data, message) => [
      tell(data.orderId, storePlace('score')(data, message), message, {
        at: data.at,
        by: `app:${message.source}`,
        summary: `Scored ${data.score.toFixed(2)} by ${data.modelVersion}: ${data.decision}.`,
        staffOnly: true,
      }),
    ]),
    on(
      AlertDecided,
      ({ alertId, version }) => ({ stream: `alert-${alertId}`, version }),
      (data, message) => [
        tell(data.orderId, { stream: `alert-${data.alertId}`, version: data.version }, message, {
          at: data.at,
          by: data.by,
          summary: `Review decided: ${data.decision}.`,
          staffOnly: true,
        }),
      ],
    ),
  ],
}
