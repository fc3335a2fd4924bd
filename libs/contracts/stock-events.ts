import Type, { type Static } from 'typebox'
import { defineMessage, Sku, Timestamp, Version } from './define.js'

export const STOCK_EVENTS = 'stock.events'

const Count = Type.Integer({ minimum: 0 })
const changed = Type.Object({ sku: Sku, version: Version, onHand: Count, reserved: Count, available: Count, at: Timestamp })

/** The stock as it now is: `onHand = available + reserved`. */
export const StockChanged = defineMessage(STOCK_EVENTS, 'StockChanged', 1, changed, {
  sku: 'BOAT-141',
  version: 3,
  onHand: 100,
  reserved: 2,
  available: 98,
  at: '2026-11-01T10:00:00.000Z',
})
export type StockChangedData = Static<typeof changed>
