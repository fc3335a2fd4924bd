import type { JsonObject } from '#kernel'

export type GstParts = { readonly cgst: string; readonly sgst: string; readonly igst: string }

export type OrderLine = {
  readonly sku: string
  readonly title: string
  readonly category: string
  readonly quantity: number
  readonly unitPrice: string
  readonly gstRate: number
  readonly hsn?: string
  readonly lineTotal: string
  /** Contained in `lineTotal`. */
  readonly gst: GstParts
}

export type OrderTotals = { readonly subtotal: string; readonly gst: GstParts; readonly shipping: string; readonly grandTotal: string }

/** `instrument` is opaque here: what identifies a person's account, sealed; `display` is its masked form. */
type Instrument = { readonly flow?: 'collect' | 'intent'; readonly instrument?: JsonObject; readonly display?: string }

/** How it is to be paid: a `split` takes `walletAmount` from the wallet and the rest by `other`. */
export type PaymentChoice = Instrument & {
  readonly method: 'wallet' | 'upi' | 'card' | 'netbanking' | 'cod' | 'split'
  readonly walletId?: string
  readonly walletAmount?: string
  /** The EMI or pay-later plan that it is paid by. */
  readonly plan?: string
  readonly other?: Instrument & { readonly method: 'upi' | 'card' | 'netbanking' }
}

/** What an order is made of, fixed when it is placed. Personal data is sealed and opaque. */
export type OrderContent = {
  readonly customerId: string
  readonly items: readonly OrderLine[]
  readonly totals: OrderTotals
  readonly shippingAddress: JsonObject
  readonly addressHash: string
  readonly deviceHash?: string
  readonly payment: PaymentChoice
}

/** Units of one sku of an order. */
export type OrderedUnits = { readonly sku: string; readonly quantity: number }
