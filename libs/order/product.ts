import type { Decider } from '#kernel'

/** What a merchant says of a product. Price in paise, GST included, as a decimal string. */
export type ProductDetails = {
  readonly title: string
  readonly description?: string
  readonly category: string
  readonly brand?: string
  readonly price: string
  /** Whole percent. */
  readonly gstRate: number
  readonly hsn?: string
  readonly attributes?: { readonly [name: string]: string }
}

/** Stream `product-<sku>`; null before it is defined. */
export type Product = ProductDetails | null

export type ProductEvent =
  | { readonly type: 'ProductDefined'; readonly data: ProductDetails }
  /** The whole product as it now is. */
  | { readonly type: 'ProductChanged'; readonly data: ProductDetails }

export type ProductCommand = { readonly type: 'define'; readonly details: ProductDetails }

export const product: Decider<ProductCommand, Product, ProductEvent> = {
  initialState: null,

  decide({ details }, state) {
    if (state === null) return [{ type: 'ProductDefined', data: details }]
    return sameDetails(state, details) ? [] : [{ type: 'ProductChanged', data: details }]
  },

  evolve: (_state, { data }) => data,
}

export const productStream = {
  category: 'product',
  initialState: product.initialState,
  evolve: product.evolve,
  snapshotEvery: 0,
}

const sameDetails = (a: ProductDetails, b: ProductDetails): boolean =>
  a.title === b.title &&
  a.description === b.description &&
  a.category === b.category &&
  a.brand === b.brand &&
  a.price === b.price &&
  a.gstRate === b.gstRate &&
  a.hsn === b.hsn &&
  sameAttributes(a.attributes ?? {}, b.attributes ?? {})

const sameAttributes = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean => {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
}
