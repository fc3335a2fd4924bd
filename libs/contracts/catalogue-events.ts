import Type, { type Static } from 'typebox'
import { Amount, defineMessage, Sku, Timestamp, Version } from './define.js'

export const CATALOGUE_EVENTS = 'catalogue.events'

const product = Type.Object({
  sku: Sku,
  version: Version,
  title: Type.String(),
  description: Type.Optional(Type.String()),
  category: Type.String(),
  brand: Type.Optional(Type.String()),
  price: Amount,
  gstRate: Type.Integer({ minimum: 0, maximum: 100 }),
  hsn: Type.Optional(Type.String()),
  attributes: Type.Optional(Type.Record(Type.String(), Type.String())),
  at: Timestamp,
})

/** The whole product as it now is: defined or changed. */
export const ProductChanged = defineMessage(CATALOGUE_EVENTS, 'ProductChanged', 1, product, {
  sku: 'BOAT-141',
  version: 1,
  title: 'boAt Airdopes 141',
  description: 'बोट एयरडोप्स 141',
  category: 'audio',
  brand: 'boAt',
  price: '149900',
  gstRate: 18,
  hsn: '8518',
  attributes: { colour: 'black' },
  at: '2026-11-01T10:00:00.000Z',
})
export type ProductChangedData = Static<typeof product>
