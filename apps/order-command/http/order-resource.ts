import { sealedText, type SealedTexts } from '#event-store'
import { toMoneyJson, paise, type Json, type JsonObject } from '#kernel'
import type { GstParts, OrderLine, PaymentChoice, PlacedOrder } from '#order'

/** Where an order goes, as the client sent it. Personal: sealed wherever it is stored. */
export type ShippingAddress = {
  readonly name: string
  readonly line1: string
  readonly line2?: string
  readonly city: string
  readonly state: string
  readonly pincode: string
  readonly phone: string
}

/** What the answer knows beside the order itself. */
export interface Beside {
  /** For who may see where it goes: sealed, until it is answered. */
  readonly shippingAddress?: JsonObject | undefined
  /** Just placed: nothing of the payment has happened yet. Later only the query side knows how it stands. */
  readonly justPlaced?: true
  /** Who just cancelled it. */
  readonly cancelledBy?: string
}

/** The order as clients see it. */
export const orderResource = (orderId: string, version: number, order: PlacedOrder, beside: Beside): JsonObject => ({
  orderId,
  customerId: order.customerId,
  status: order.status,
  items: order.items.map(lineResource),
  ...(beside.shippingAddress === undefined ? {} : { shippingAddress: beside.shippingAddress }),
  totals: {
    subtotal: money(order.totals.subtotal),
    gst: gstResource(order.totals.gst),
    shipping: money(order.totals.shipping),
    grandTotal: money(order.totals.grandTotal),
  },
  payment: { ...choiceResource(order.payment), ...(beside.justPlaced ? untouched(order.totals.grandTotal) : {}) },
  ...(order.cancellation && beside.cancelledBy !== undefined
    ? { cancellation: { ...order.cancellation, at: order.updatedAt, by: beside.cancelledBy } }
    : {}),
  placedAt: order.placedAt,
  updatedAt: order.updatedAt,
  version,
})

/** The order with its address readable; without one where its subject's key was destroyed. Answers are kept with the address sealed. */
export const revealAddress = async (keys: SealedTexts, resource: Json): Promise<Json> => {
  if (!isObject(resource)) return resource
  const { shippingAddress, ...rest } = resource
  const sealed = sealedText(shippingAddress)
  if (!sealed) return resource
  const [opened] = await keys.openAll([sealed])
  if (opened === undefined) return rest
  return { ...resource, shippingAddress: JSON.parse(opened) as Json }
}

const isObject = (json: Json): json is JsonObject => typeof json === 'object' && json !== null && !Array.isArray(json)

const lineResource = (line: OrderLine): JsonObject => ({
  sku: line.sku,
  title: line.title,
  category: line.category,
  quantity: line.quantity,
  unitPrice: money(line.unitPrice),
  gstRate: line.gstRate,
  ...(line.hsn === undefined ? {} : { hsn: line.hsn }),
  lineTotal: money(line.lineTotal),
  gst: gstResource(line.gst),
})

const choiceResource = ({ method, walletId, flow, display }: PaymentChoice): JsonObject => ({
  method,
  ...(walletId === undefined ? {} : { walletId }),
  ...(flow === undefined ? {} : { flow }),
  ...(display === undefined ? {} : { display }),
})

const untouched = (grandTotal: string): JsonObject => ({
  status: 'RUNNING',
  amount: money(grandTotal),
  authorised: money('0'),
  captured: money('0'),
  refunded: money('0'),
})

const gstResource = ({ cgst, sgst, igst }: GstParts): JsonObject => ({ cgst: money(cgst), sgst: money(sgst), igst: money(igst) })

const money = (amount: string): JsonObject => ({ ...toMoneyJson(paise(amount)) })
