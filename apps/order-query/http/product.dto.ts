import { field, Instant, IsMoney, ListOf, MoneyDto, OneOf, PageQuery, rule, Text, TextMap, Whole, type FieldOptions } from '#platform'
import { MAX_PAISE } from '#kernel'
import { PRODUCT_SORTS, type ProductSort } from '../read-models/products.js'
import { NextCursor } from './reads.js'

/** Whole paise in a query string. */
const QueryPaise = (options: FieldOptions): PropertyDecorator =>
  field(
    { example: '149900', optional: true, ...options },
    { type: 'string', pattern: '^(0|[1-9][0-9]{0,15})$', maxLength: 16 },
    rule(
      'paise',
      `must be digits: whole paise from 0 to ${MAX_PAISE}`,
      (value) => typeof value === 'string' && /^(0|[1-9][0-9]{0,15})$/.test(value) && BigInt(value) <= MAX_PAISE,
    ),
  )

export class ProductsQuery extends PageQuery {
  @Text({ max: 200, optional: true, description: 'Words in English or Hindi; "quotes", or, -not.' })
  readonly q?: string

  @Text({ max: 200, optional: true })
  readonly category?: string

  @Text({ max: 200, optional: true })
  readonly brand?: string

  @QueryPaise({ description: 'Whole paise, inclusive.' })
  readonly minPrice?: string

  @QueryPaise({ description: 'Whole paise, inclusive.' })
  readonly maxPrice?: string

  @OneOf(PRODUCT_SORTS, { optional: true, description: '`relevance` with `q`, else `title`, unless given. `relevance` needs `q`.' })
  readonly sort?: ProductSort
}

export class ProductDto {
  @Text({ max: 64 }) readonly sku!: string
  @Text({ max: 1_000 }) readonly title!: string
  @Text({ max: 10_000, optional: true }) readonly description?: string
  @Text({ max: 1_000 }) readonly category!: string
  @Text({ max: 1_000, optional: true }) readonly brand?: string
  @IsMoney({ description: 'GST included.' }) readonly price!: MoneyDto
  @Whole({ min: 0, max: 100, description: 'Percent.' }) readonly gstRate!: number
  @Text({ max: 100, optional: true }) readonly hsn?: string
  @TextMap({ optional: true, maxEntries: 1_000, maxLength: 10_000 }) readonly attributes?: Readonly<Record<string, string>>
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER, description: 'What can be ordered now.' }) readonly available!: number
  @Instant() readonly updatedAt!: string
  @Whole({ min: 1, max: Number.MAX_SAFE_INTEGER, description: 'As in the ETag.' }) readonly version!: number
}

export class ProductPageDto {
  @ListOf(() => ProductDto, { max: 100 }) readonly items!: readonly ProductDto[]
  @NextCursor() readonly nextCursor!: string | null
}
