import { paise, toMoneyJson, type JsonObject } from '#kernel'
import type { GstParts, OrderLine, OrderReturn, OrderStatus, OrderTotals, PaymentChoice, Shipment } from '#order'

/** An order to be shown. Amounts are paise in decimal strings. */
export interface ShownOrder {
  readonly orderId: string
  readonly customerId: string
  readonly status: OrderStatus
  readonly version: number
  readonly items: readonly OrderLine[]
  readonly totals: OrderTotals
  readonly shippingAddress: JsonObject
  readonly shipment?: Shipment | undefined
  readonly cancellation?: { readonly reason: string; readonly note?: JsonObject; readonly at: string; readonly by: string } | undefined
  readonly return?: OrderReturn | undefined
  readonly placedAt: string
  readonly updatedAt: string
}

/** What of it that is personal this caller may see. */
export interface Sight {
  readonly address: boolean
  /** What the customer or the merchant wrote. */
  readonly notes: boolean
}

/** The order as the contract shows it, but what is personal still sealed: see `revealOrders`. `payment` is made by one of the two below. */
export const orderView = (order: ShownOrder, payment: JsonObject, sight: Sight): JsonObject => ({
  orderId: order.orderId,
  customerId: order.customerId,
  status: order.status,
  items: order.items.map(lineView),
  ...(sight.address && { shippingAddress: order.shippingAddress }),
  totals: {
    subtotal: money(order.totals.subtotal),
    gst: gstView(order.totals.gst),
    shipping: money(order.totals.shipping),
    grandTotal: money(order.totals.grandTotal),
  },
  payment,
  ...(order.shipment && { shipment: { ...order.shipment } }),
  ...(order.cancellation && { cancellation: cancellationView(order.cancellation, sight) }),
  ...(order.return && { return: returnView(order.return, sight) }),
  placedAt: order.placedAt,
  updatedAt: order.updatedAt,
  version: order.version,
})

export interface PaymentProgress {
  readonly paymentId?: string
  readonly status: string
  readonly amount: string
  readonly authorised: string
  readonly captured: string
  readonly refunded: string
}

/** Until the payment's saga tells of it. */
export const nothingPaidYet = (grandTotal: string): PaymentProgress => ({
  status: 'RUNNING',
  amount: grandTotal,
  authorised: '0',
  captured: '0',
  refunded: '0',
})

export const paymentView = (choice: PaymentChoice, progress: PaymentProgress): JsonObject => ({
  ...(progress.paymentId !== undefined && { paymentId: progress.paymentId }),
  ...choiceView(choice),
  status: progress.status,
  amount: money(progress.amount),
  authorised: money(progress.authorised),
  captured: money(progress.captured),
  refunded: money(progress.refunded),
})

/** Without the instrument, sealed or not. */
export const choiceView = ({ method, walletId, walletAmount, flow, display, plan, other }: PaymentChoice): JsonObject => ({
  method,
  ...(walletId !== undefined && { walletId }),
  ...(walletAmount !== undefined && { walletAmount: money(walletAmount) }),
  ...(flow !== undefined && { flow }),
  ...(display !== undefined && { display }),
  ...(plan !== undefined && { plan }),
  ...(other !== undefined && { other: choiceView(other) }),
})

const lineView = ({ sku, title, category, quantity, unitPrice, gstRate, hsn, lineTotal, gst }: OrderLine): JsonObject => ({
  sku,
  title,
  category,
  quantity,
  unitPrice: money(unitPrice),
  gstRate,
  ...(hsn !== undefined && { hsn }),
  lineTotal: money(lineTotal),
  gst: gstView(gst),
})

const cancellationView = ({ reason, note, at, by }: NonNullable<ShownOrder['cancellation']>, { notes }: Sight): JsonObject => ({
  reason,
  ...(notes && note && { note }),
  at,
  by,
})

const returnView = ({ items, reason, requestedAt, acceptedAt, refund }: OrderReturn, { notes }: Sight): JsonObject => ({
  items: items.map(({ sku, quantity }) => ({ sku, quantity })),
  ...(notes && { reason }),
  requestedAt,
  ...(acceptedAt !== undefined && { acceptedAt }),
  ...(refund !== undefined && { refund: money(refund) }),
})

const gstView = ({ cgst, sgst, igst }: GstParts): JsonObject => ({ cgst: money(cgst), sgst: money(sgst), igst: money(igst) })

const money = (amount: string): JsonObject => ({ ...toMoneyJson(paise(amount)) })
