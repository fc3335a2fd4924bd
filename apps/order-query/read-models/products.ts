import { pageOf, type Page } from '#platform'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource, In } from 'typeorm'
import { paginate, type Sort } from './keyset.js'
import { ProductRow } from './product.entity.js'
import { StockRow } from './stock.entity.js'

/** Words as people type them: stemmed as English and Hindi, or just as they stand. */
const QUERY = `(websearch_to_tsquery('hindi', :q) || websearch_to_tsquery('simple', :q))`

const SORTS = {
  relevance: { expression: `ts_rank(p.search, ${QUERY})`, direction: 'DESC', type: 'real' },
  title: { expression: 'p.title', direction: 'ASC', type: 'text' },
  '-title': { expression: 'p.title', direction: 'DESC', type: 'text' },
  price: { expression: 'p.price', direction: 'ASC', type: 'bigint' },
  '-price': { expression: 'p.price', direction: 'DESC', type: 'bigint' },
  updatedAt: { expression: 'p.updatedAt', direction: 'ASC', type: 'timestamptz' },
  '-updatedAt': { expression: 'p.updatedAt', direction: 'DESC', type: 'timestamptz' },
} as const satisfies Record<string, Sort>

export type ProductSort = keyof typeof SORTS
export const PRODUCT_SORTS: readonly ProductSort[] = ['relevance', 'title', '-title', 'price', '-price', 'updatedAt', '-updatedAt']

export interface ProductFilter {
  readonly limit: number
  readonly cursor?: string
  /** `relevance` where there is a `q` and nothing else is asked for, else `title`. Without `q` there is no relevance. */
  readonly sort?: ProductSort
  readonly q?: string
  readonly category?: string
  readonly brand?: string
  /** Paise, inclusive. */
  readonly minPrice?: string
  readonly maxPrice?: string
}

export interface ProductWithStock {
  readonly product: ProductRow
  /** 0 while no stock is known. */
  readonly available: number
}

@Injectable()
export class Products {
  constructor(@Inject(DataSource) private readonly source: DataSource) {}

  async find(sku: string): Promise<ProductWithStock | undefined> {
    const [product, stock] = await Promise.all([
      this.source.getRepository(ProductRow).findOneBy({ sku }),
      this.source.getRepository(StockRow).findOneBy({ sku }),
    ])
    return product ? { product, available: stock?.available ?? 0 } : undefined
  }

  async list(filter: ProductFilter): Promise<Page<ProductWithStock>> {
    const { q, category, brand, minPrice, maxPrice, sort = q === undefined ? 'title' : 'relevance' } = filter
    const query = this.source.getRepository(ProductRow).createQueryBuilder('p').where('p.version IS NOT NULL')
    if (q !== undefined) query.andWhere(`p.search @@ ${QUERY}`, { q })
    if (category !== undefined) query.andWhere('p.category = :category', { category })
    if (brand !== undefined) query.andWhere('p.brand = :brand', { brand })
    if (minPrice !== undefined) query.andWhere('p.price >= :minPrice', { minPrice })
    if (maxPrice !== undefined) query.andWhere('p.price <= :maxPrice', { maxPrice })
    paginate(query, 'p.sku', sort, SORTS[sort], filter)
    if (sort === 'relevance') query.addSelect(SORTS.relevance.expression, 'rank')
    const { entities, raw } = await query.getRawAndEntities<{ rank?: number }>()
    const ranks = new Map(entities.map(({ sku }, index) => [sku, raw[index]?.rank ?? 0]))
    const available = await this.#available(entities.slice(0, filter.limit))
    return pageOf(
      entities,
      filter.limit,
      (product) => ({ product, available: available.get(product.sku) ?? 0 }),
      (row) => [sort, sortKey(row, sort, ranks), row.sku],
    )
  }

  async #available(rows: readonly ProductRow[]): Promise<ReadonlyMap<string, number>> {
    if (rows.length === 0) return new Map()
    const found = await this.source.getRepository(StockRow).findBy({ sku: In(rows.map(({ sku }) => sku)) })
    return new Map(found.map(({ sku, available }) => [sku, available]))
  }
}

const sortKey = (row: ProductRow, sort: ProductSort, ranks: ReadonlyMap<string, number>): string | number => {
  switch (sort) {
    case 'relevance':
      return ranks.get(row.sku) ?? 0
    case 'title':
    case '-title':
      return row.title
    case 'price':
    case '-price':
      return row.price
    case 'updatedAt':
    case '-updatedAt':
      return row.updatedAt.toISOString()
  }
}
