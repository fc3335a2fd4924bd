import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { callerIdentity } from '#platform'
import { Orders } from './read-models/orders.js'
import { Products } from './read-models/products.js'
import { openWorld, type World } from './testing/world.js'

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly PlanNode[]
}

const nodes = (plan: PlanNode): readonly PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)]

const ORDERS = `
  INSERT INTO orders (order_id, customer_id, status, version, items, grand_total_paise, search_text, placed_at, updated_at)
  SELECT 'order-' || n, 'c-' || n % 100, CASE WHEN n % 50 = 0 THEN 'UNDER_REVIEW' ELSE 'CONFIRMED' END, 1, '[]', n % 1000 * 100,
    'boat airdopes ' || n % 3000, timestamptz '2026-01-01' + n * interval '1 minute', now()
  FROM generate_series($1::int, $2::int) n`

const PRODUCTS = `
  INSERT INTO products (sku, version, title, category, brand, price_paise, gst_rate, updated_at)
  SELECT 'SKU-' || n, 1, 'Product number ' || n % 4000, 'category-' || n % 8, 'brand-' || n % 40, n % 777 * 100, 18, now()
  FROM generate_series($1::int, $2::int) n`

/** Each list that a page of the shop waits for reads a page's worth of rows from its index, however large the table. */
describe('plans over 20,000 orders and 8,000 products', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
    await world.app.init()
    // In parts: each is far within the time that a statement may take.
    for (let from = 1; from <= 20_000; from += 2_000) {
      await world.source.query(ORDERS, [from, from + 1_999])
      if (from <= 8_000) await world.source.query(PRODUCTS, [from, from + 1_999])
    }
    // Also moves what GIN indexes keep pending to its place, as autovacuum does.
    await world.source.query('VACUUM ANALYZE')
  })
  afterAll(() => world.close())

  /** The plan of the first statement that `ask` runs, as it was run. */
  const planOf = async (ask: () => Promise<unknown>): Promise<readonly PlanNode[]> => {
    const asked: { sql: string; parameters: unknown[] }[] = []
    const { logger } = world.source
    const logged = logger.logQuery
    logger.logQuery = (sql, parameters) => void asked.push({ sql, parameters: Array.isArray(parameters) ? parameters : [] })
    try {
      await ask()
    } finally {
      logger.logQuery = logged
    }
    const first = asked[0]
    if (!first) throw new Error('nothing was asked')
    const rows: { 'QUERY PLAN': { Plan: PlanNode }[] }[] = await world.source.query(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${first.sql}`,
      first.parameters,
    )
    const plan = rows[0]?.['QUERY PLAN'][0]?.Plan
    if (!plan) throw new Error('no plan')
    return nodes(plan)
  }

  const customer = callerIdentity('c-7', ['customer'])
  const support = callerIdentity('s-1', ['support'])
  const orders = () => world.app.get(Orders)
  const products = () => world.app.get(Products)
  const middle = (...place: unknown[]) => Buffer.from(JSON.stringify(place)).toString('base64url')

  it.each([
    ['own orders', 'orders_of_customer', () => orders().list({ limit: 20 }, customer)],
    [
      'own orders, a later page',
      'orders_of_customer',
      () => orders().list({ limit: 20, cursor: middle('-placedAt', '2026-01-08T00:00:00.000Z', 'order-9') }, customer),
    ],
    ['all orders', 'orders_by_time', () => orders().list({ limit: 20 }, support)],
    ['orders under review', 'orders_by_status', () => orders().list({ limit: 20, status: 'UNDER_REVIEW' }, support)],
    ['the dearest orders', 'orders_by_total', () => orders().list({ limit: 20, sort: '-grandTotal' }, support)],
    ['products by title', 'products_by_title', () => products().list({ limit: 20 })],
    [
      'a category by price',
      'products_of_category_by_price',
      () => products().list({ limit: 20, category: 'category-3', sort: 'price', minPrice: '20000' }),
    ],
    ['a brand', 'products_of_brand_by_title', () => products().list({ limit: 20, brand: 'brand-3' })],
  ])('%s: %s', async (_, index, ask) => {
    const plan = await planOf(ask)
    expect(plan.map((node) => node['Index Name']).filter(Boolean)).toEqual([index])
    for (const node of plan) expect(node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)).toBeLessThanOrEqual(21)
  })

  it.each([
    ['orders', 'orders_search', () => orders().list({ limit: 20, q: '2999' }, support)],
    ['products', 'products_search', () => products().list({ limit: 20, q: '3999' })],
  ])('search of %s: %s', async (_, index, ask) => {
    expect((await planOf(ask)).map((node) => node['Index Name'])).toContain(index)
  })
})
