import type { SealedTexts } from '#event-store'
import { OrderDto, orderView, revealOrders } from '#order-http'
import {
  Caller,
  ConsistencyTokenHeader,
  hasRole,
  invalidInput,
  notFound,
  Roles,
  type CallerIdentity,
  type ConsistencyToken,
} from '#platform'
import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Orders, seesOrder } from '../read-models/orders.js'
import type { ReadCache } from '../read-models/read-cache.js'
import { READ_CACHE, SEALED_TEXTS } from '../tokens.js'
import { OrderHistoryDto, OrderPageDto, OrdersQuery } from './order.dto.js'
import { factsOf, type OrderFacts } from './order.view.js'
import { etagOf, Freshness } from './reads.js'

@ApiTags('orders')
@ApiBearerAuth()
@Roles('customer', 'merchant', 'support', 'risk', 'auditor', 'admin')
@Controller('v1/orders')
export class OrdersController {
  constructor(
    @Inject(Orders) private readonly orders: Orders,
    @Inject(Freshness) private readonly freshness: Freshness,
    @Inject(SEALED_TEXTS) private readonly sealed: SealedTexts,
    @Inject(READ_CACHE) private readonly cache: ReadCache,
  ) {}

  @Get()
  @ApiOkResponse({ type: OrderPageDto })
  async list(@Query() query: OrdersQuery, @Caller() caller: CallerIdentity, @ConsistencyTokenHeader() token: ConsistencyToken | undefined) {
    const { from, to } = query
    if (from !== undefined && to !== undefined && Date.parse(to) < Date.parse(from))
      throw invalidInput([{ pointer: '/to', detail: 'must not be before from' }])
    await this.freshness.reach(token, caller.sub)
    const { items, nextCursor } = await this.orders.list(query, caller)
    return { items: await this.#views(items.map(factsOf), caller), nextCursor }
  }

  @Get(':id')
  @ApiOkResponse({ type: OrderDto })
  async one(
    @Param('id') id: string,
    @Caller() caller: CallerIdentity,
    @ConsistencyTokenHeader() token: ConsistencyToken | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.freshness.reach(token, caller.sub)
    const load = async () => {
      const found = await this.orders.find(id)
      return found && JSON.stringify(factsOf(found))
    }
    // Who wrote to it sees that, whatever is kept.
    const named = token && `order-${id}` in token.streams
    const text = await (named ? load() : this.cache.through('order', id, load))
    const facts = text === undefined ? undefined : (JSON.parse(text) as OrderFacts)
    if (!facts || !seesOrder(caller, facts.order)) throw notFound('order')
    const [view] = await this.#views([facts], caller)
    void reply.header('etag', etagOf(facts.order.version))
    return view
  }

  @Get(':id/history')
  @ApiOkResponse({ type: OrderHistoryDto })
  async history(@Param('id') id: string, @Caller() caller: CallerIdentity, @ConsistencyTokenHeader() token: ConsistencyToken | undefined) {
    await this.freshness.reach(token, caller.sub)
    const rows = await this.orders.history(id, caller)
    if (!rows) throw notFound('order')
    return { items: rows.map(({ at, type, by, summary }) => ({ at: at.toISOString(), type, by, summary })) }
  }

  /** What is personal in them is opened for who may see it, as long as it can be read: one look-up for all of them. */
  #views(found: readonly OrderFacts[], caller: CallerIdentity) {
    const views = found.map(({ order, payment }) => {
      const address = caller.sub === order.customerId || hasRole(caller, 'support')
      return orderView(order, payment, { address, notes: address || hasRole(caller, 'merchant') })
    })
    return revealOrders(this.sealed, views, caller.sub)
  }
}
