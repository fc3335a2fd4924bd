import { add, divideHalfUp, isRefusal, MAX_PAISE, paise, type Paise, type Refusal, refuse, times, ZERO } from '#kernel'
import { GST_RATES, type GstRateRow, isGstRateValid } from './gst-rates.js'
import type { GstParts, OrderLine, OrderTotals } from './content.js'
import type { Product } from './product.js'
import { gstStateCode } from './states.js'

export const MAX_LINES = 100
export const MAX_QUANTITY = 10_000

export interface PriceRequest {
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  /** The product as it is at that moment, or null where there is none. */
  productOf(sku: string): Product
  /** ISO letters: `KA`. */
  readonly sellerState: string
  readonly buyerState: string
  /** Milliseconds since the epoch: decides which GST rates hold. */
  readonly at_ms: number
  readonly shipping: Paise
  readonly gstRates?: readonly GstRateRow[]
}

export interface Priced {
  readonly items: readonly OrderLine[]
  readonly totals: OrderTotals
}

/**
 * The lines and totals of an order at the catalogue's prices, which include GST. Refused: `unknown-product`, `gst-rate-expired` where a
 * product's rate is no longer one of today's, `limit-exceeded` beyond the largest amount the platform handles.
 */
export const priceOrder = (request: PriceRequest): Priced | Refusal => {
  const { sellerState, buyerState, shipping } = request
  const withinState = knownState(sellerState) === knownState(buyerState)
  const items: OrderLine[] = []
  for (const line of request.lines) {
    const item = priceLine(line, request, withinState)
    if (isRefusal(item)) return item
    items.push(item)
  }
  const subtotal = sum(items.map(({ lineTotal }) => lineTotal))
  const grandTotal = add(paise(subtotal), shipping)
  if (grandTotal > MAX_PAISE) return refuse('limit-exceeded', 'the order is larger than the platform handles at once')
  const gst = gstParts((part) => add(...items.map((item) => paise(item.gst[part]))))
  return { items, totals: { subtotal, gst, shipping: shipping.toString(), grandTotal: grandTotal.toString() } }
}

/** The GST contained in an inclusive amount at a rate in percent, rounded half up to the paisa. */
export const gstContained = (amount: Paise, rate: number): Paise => divideHalfUp(amount * BigInt(rate), BigInt(100 + rate))

/** Within a state half each, the odd paisa with SGST; across states all of it IGST. */
export const splitGst = (gst: Paise, withinState: boolean): { cgst: Paise; sgst: Paise; igst: Paise } => {
  if (!withinState) return { cgst: ZERO, sgst: ZERO, igst: gst }
  const cgst = paise(gst / 2n)
  return { cgst, sgst: paise(gst - cgst), igst: ZERO }
}

const priceLine = (line: PriceRequest['lines'][number], request: PriceRequest, withinState: boolean): OrderLine | Refusal => {
  const product = request.productOf(line.sku)
  if (product === null) return refuse('unknown-product', `there is no product ${line.sku}`)
  if (!isGstRateValid(product.gstRate, request.at_ms, request.gstRates ?? GST_RATES))
    return refuse(
      'gst-rate-expired',
      `${line.sku}: ${product.gstRate} percent is not a GST rate today; the merchant must change the product`,
    )
  const lineTotal = times(paise(product.price), line.quantity)
  const gst = splitGst(gstContained(lineTotal, product.gstRate), withinState)
  return {
    sku: line.sku,
    title: product.title,
    category: product.category,
    quantity: line.quantity,
    unitPrice: product.price,
    gstRate: product.gstRate,
    ...(product.hsn === undefined ? {} : { hsn: product.hsn }),
    lineTotal: lineTotal.toString(),
    gst: gstParts((part) => gst[part]),
  }
}

/** Each part as a decimal string. */
export const gstParts = (amountOf: (part: keyof GstParts) => Paise): GstParts => ({
  cgst: amountOf('cgst').toString(),
  sgst: amountOf('sgst').toString(),
  igst: amountOf('igst').toString(),
})

const sum = (amounts: readonly string[]): string => add(...amounts.map(paise)).toString()

/** Input is checked before it comes here and the seller's state when the app starts. */
const knownState = (state: string): string => {
  const code = gstStateCode(state)
  if (code === undefined) throw new RangeError('not a state of India')
  return code
}
