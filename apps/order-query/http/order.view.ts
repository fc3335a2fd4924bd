import { nothingPaidYet, paymentView, type ShownOrder } from '#order-http'
import type { JsonObject } from '#kernel'
import type { OrderRow } from '../read-models/order.entity.js'
import type { OrderWithPayment } from '../read-models/orders.js'

/** What there is to show of an order, before it is known to whom; what is personal in it is sealed. Plain JSON. */
export interface OrderFacts {
  readonly order: ShownOrder
  readonly payment: JsonObject
}

export const factsOf = ({ order, payment }: OrderWithPayment): OrderFacts => ({
  order: shown(order),
  payment: paymentView(order.paymentChoice, payment ?? nothingPaidYet(order.grandTotal)),
})

/** What the row remembers of a part that the order's status does not have was told by a store that has since been restored. */
const shown = (row: OrderRow): ShownOrder => ({
  orderId: row.orderId,
  customerId: row.customerId,
  status: row.status,
  version: row.version,
  items: row.items,
  totals: {
    subtotal: row.subtotal,
    gst: { cgst: row.cgst, sgst: row.sgst, igst: row.igst },
    shipping: row.shipping,
    grandTotal: row.grandTotal,
  },
  shippingAddress: row.shippingAddress,
  shipment: shipmentOf(row),
  cancellation: row.status === 'CANCELLED' && row.cancellation ? row.cancellation : undefined,
  return: returnOf(row),
  placedAt: row.placedAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
})

const SHIPPED: ReadonlySet<OrderRow['status']> = new Set(['SHIPPED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'RETURN_REQUESTED', 'RETURNED'])

const shipmentOf = ({ status, carrier, trackingNumber, shippedAt, outForDeliveryAt, deliveredAt }: OrderRow): ShownOrder['shipment'] => {
  if (!SHIPPED.has(status) || carrier === null || trackingNumber === null || shippedAt === null) return undefined
  return {
    carrier,
    trackingNumber,
    shippedAt: shippedAt.toISOString(),
    ...(outForDeliveryAt && { outForDeliveryAt: outForDeliveryAt.toISOString() }),
    ...(deliveredAt && { deliveredAt: deliveredAt.toISOString() }),
  }
}

const returnOf = ({ status, returnItems, returnReason, returnRequestedAt, returnAcceptedAt, refund }: OrderRow): ShownOrder['return'] => {
  if ((status !== 'RETURN_REQUESTED' && status !== 'RETURNED') || !returnItems || !returnReason || !returnRequestedAt) return undefined
  return {
    items: returnItems,
    reason: returnReason,
    requestedAt: returnRequestedAt.toISOString(),
    ...(returnAcceptedAt && { acceptedAt: returnAcceptedAt.toISOString() }),
    ...(refund !== null && { refund }),
  }
}
