import { toMoneyJson, paise, type MoneyJson } from '#kernel'
import type { OrderWithPayment } from '../read-models/orders.js'

const money = (amount: string): MoneyJson => toMoneyJson(paise(amount))

const gst = (of: { readonly cgst: string; readonly sgst: string; readonly igst: string }) => ({
  cgst: money(of.cgst),
  sgst: money(of.sgst),
  igst: money(of.igst),
})

/** The order as the contract shows it. The address is given where the caller may see it. */
export const orderView = ({ order, payment }: OrderWithPayment, shippingAddress?: object) => ({
  orderId: order.orderId,
  customerId: order.customerId,
  status: order.status,
  items: order.items.map(({ sku, title, category, quantity, unitPrice, gstRate, hsn, lineTotal, gst: tax }) => ({
    sku,
    title,
    category,
    quantity,
    unitPrice: money(unitPrice),
    gstRate,
    ...(hsn !== undefined && { hsn }),
    lineTotal: money(lineTotal),
    gst: gst(tax),
  })),
  ...(shippingAddress && { shippingAddress }),
  totals: { subtotal: money(order.subtotal), gst: gst(order), shipping: money(order.shipping), grandTotal: money(order.grandTotal) },
  payment: paymentView({ order, payment }),
  ...(order.cancellation && { cancellation: order.cancellation }),
  placedAt: order.placedAt.toISOString(),
  updatedAt: order.updatedAt.toISOString(),
  version: order.version,
})

/** Until the saga tells of it, the payment is as it begins: running, with nothing taken. */
const paymentView = ({ order, payment }: OrderWithPayment) => ({
  ...(payment && { paymentId: payment.paymentId }),
  ...order.paymentChoice,
  status: payment?.status ?? 'RUNNING',
  amount: money(payment?.amount ?? order.grandTotal),
  authorised: money(payment?.authorised ?? '0'),
  captured: money(payment?.captured ?? '0'),
  refunded: money(payment?.refunded ?? '0'),
})
