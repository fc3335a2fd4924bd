import { add, paise, type Refusal, refuse, subtract, times } from '#kernel'
import type { GstParts, OrderedUnits, OrderLine } from './content.js'
import { gstContained, gstParts, splitGst } from './pricing.js'

/** Units that come back, with what was paid for them (GST included) and the part of it that is tax. Paise as decimal strings. */
export type ReturnedLine = OrderedUnits & { readonly amount: string; readonly gst: GstParts }

export type ReturnedGoods = { readonly items: readonly ReturnedLine[]; readonly refund: string; readonly gst: GstParts }

/** Refused `return-exceeds-order` where the order has no such line, or fewer units of it. Each sku is on one line. */
export const checkReturn = (lines: readonly OrderLine[], units: readonly OrderedUnits[]): Refusal | undefined => {
  const excess = units.find(({ sku, quantity }) => quantity > (lines.find((line) => line.sku === sku)?.quantity ?? 0))
  return excess && refuse('return-exceeds-order', `the order has no ${excess.quantity} units of ${excess.sku} to give back`)
}

/**
 * What is owed for units that come back. Their tax is the line's less what the units that stay would have been taxed alone, so that both parts
 * together are the line to the paisa, however they were rounded.
 */
export const returnedGoods = (lines: readonly OrderLine[], units: readonly OrderedUnits[]): ReturnedGoods => {
  const items = units.map(({ sku, quantity }) => {
    const line = lines.find((each) => each.sku === sku)
    if (!line || quantity > line.quantity) throw new RangeError('more comes back than was ordered')
    return returnedLine(line, quantity)
  })
  return {
    items,
    refund: add(...items.map(({ amount }) => paise(amount))).toString(),
    gst: gstParts((part) => add(...items.map(({ gst }) => paise(gst[part])))),
  }
}

const returnedLine = (line: OrderLine, quantity: number): ReturnedLine => {
  const withinState = line.gst.igst === '0'
  const kept = splitGst(gstContained(times(paise(line.unitPrice), line.quantity - quantity), line.gstRate), withinState)
  return {
    sku: line.sku,
    quantity,
    amount: times(paise(line.unitPrice), quantity).toString(),
    gst: gstParts((part) => subtract(paise(line.gst[part]), kept[part])),
  }
}
