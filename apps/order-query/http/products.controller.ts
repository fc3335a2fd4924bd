import { paise, toMoneyJson } from '#kernel'
import { ConsistencyTokenHeader, invalidInput, notFound, Public, type ConsistencyToken } from '#platform'
import { Controller, Get, Inject, Ip, Param, Query, Res } from '@nestjs/common'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Products, type ProductWithStock } from '../read-models/products.js'
import { ProductDto, ProductPageDto, ProductsQuery } from './product.dto.js'
import type { ReadCache } from '../read-models/read-cache.js'
import { READ_CACHE } from '../tokens.js'
import { etagOf, Freshness } from './reads.js'

@ApiTags('products')
@Public()
@Controller('v1/products')
export class ProductsController {
  constructor(
    @Inject(Products) private readonly products: Products,
    @Inject(Freshness) private readonly freshness: Freshness,
    @Inject(READ_CACHE) private readonly cache: ReadCache,
  ) {}

  @Get()
  @ApiOkResponse({ type: ProductPageDto })
  async list(@Query() query: ProductsQuery, @ConsistencyTokenHeader() token: ConsistencyToken | undefined, @Ip() ip: string) {
    const { minPrice, maxPrice, sort, q } = query
    if (minPrice !== undefined && maxPrice !== undefined && BigInt(maxPrice) < BigInt(minPrice))
      throw invalidInput([{ pointer: '/maxPrice', detail: 'must not be less than minPrice' }])
    if (sort === 'relevance' && q === undefined) throw invalidInput([{ pointer: '/sort', detail: 'relevance needs q' }])
    await this.freshness.reach(token, ip)
    const { items, nextCursor } = await this.products.list(query)
    return { items: items.map(productView), nextCursor }
  }

  @Get(':sku')
  @ApiOkResponse({ type: ProductDto })
  async one(
    @Param('sku') sku: string,
    @ConsistencyTokenHeader() token: ConsistencyToken | undefined,
    @Ip() ip: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.freshness.reach(token, ip)
    const load = async () => {
      const found = await this.products.find(sku)
      return found && JSON.stringify(productView(found))
    }
    // Who wrote to it sees that, whatever is kept.
    const named = token && productStreams(sku).some((stream) => stream in token.streams)
    const text = await (named ? load() : this.cache.through('product', sku, load))
    if (text === undefined) throw notFound('product')
    const view = JSON.parse(text) as ReturnType<typeof productView>
    void reply.header('etag', etagOf(view.version))
    return view
  }
}

const productStreams = (sku: string): readonly string[] => [`product-${sku}`, `stock-${sku}`]

const productView = ({ product, available }: ProductWithStock) => ({
  sku: product.sku,
  title: product.title,
  ...(product.description !== null && { description: product.description }),
  category: product.category,
  ...(product.brand !== null && { brand: product.brand }),
  price: toMoneyJson(paise(product.price)),
  gstRate: product.gstRate,
  ...(product.hsn !== null && { hsn: product.hsn }),
  ...(product.attributes !== null && { attributes: product.attributes }),
  available,
  updatedAt: product.updatedAt.toISOString(),
  version: product.version,
})
