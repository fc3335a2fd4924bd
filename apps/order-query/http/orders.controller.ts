import type { SealedTexts } from '#event-store'
import { OrderDto, revealOrders } from '#order-http'
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
import { Orders, type OrderWithPayment } from '../read-models/orders.js'
import { SEALED_TEXTS } from '../tokens.js'
import { OrderHistoryDto, OrderPageDto, OrdersQuery } from './order.dto.js'
import { viewOf } from './order.view.js'
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
  ) {}

  @Get()
  @ApiOkResponse({ type: OrderPageDto })
  async list(@Query() query: OrdersQuery, @Caller() caller: CallerIdentity, @ConsistencyTokenHeader() token: ConsistencyToken | undefined) {
    const { from, to } = query
    if (from !== undefined && to !== undefined && Date.parse(to) < Date.parse(from))
      throw invalidInput([{ pointer: '/to', detail: 'must not be before from' }])
    await this.freshness.reach(token, caller.sub)
    const { items, nextCursor } = await this.orders.list(query, caller)
    return { items: await this.#views(items, caller), nextCursor }
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
    const found = await this.orders.find(id, caller)
    if (!found) throw notFound('order')
    const [view] = await this.#views([found], caller)
    void reply.header('etag', etagOf(found.order.version))
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
  #views(found: readonly OrderWithPayment[], caller: CallerIdentity) {
    const views = found.map((each) => {
      const address = caller.sub === each.order.customerId || hasRole(caller, 'support')
      return viewOf(each, { address, notes: address || hasRole(caller, 'merchant') })
    })
    return revealOrders(this.sealed, views, caller.sub)
  }
}
