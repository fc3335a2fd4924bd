import type { Sealed } from '#contracts'
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
import { OPEN_ADDRESS } from '../tokens.js'
import { OrderDto, OrderHistoryDto, OrderPageDto, OrdersQuery } from './order.dto.js'
import { orderView } from './order.view.js'
import { etagOf, Freshness } from './reads.js'

/** Opens a sealed address; undefined once its subject's key is destroyed. */
export type OpenAddress = (sealed: Sealed) => object | undefined

@ApiTags('orders')
@ApiBearerAuth()
@Roles('customer', 'merchant', 'support', 'risk', 'auditor', 'admin')
@Controller('v1/orders')
export class OrdersController {
  constructor(
    @Inject(Orders) private readonly orders: Orders,
    @Inject(Freshness) private readonly freshness: Freshness,
    @Inject(OPEN_ADDRESS) private readonly openAddress: OpenAddress,
  ) {}

  @Get()
  @ApiOkResponse({ type: OrderPageDto })
  async list(@Query() query: OrdersQuery, @Caller() caller: CallerIdentity, @ConsistencyTokenHeader() token: ConsistencyToken | undefined) {
    const { from, to } = query
    if (from !== undefined && to !== undefined && Date.parse(to) < Date.parse(from))
      throw invalidInput([{ pointer: '/to', detail: 'must not be before from' }])
    await this.freshness.reach(token)
    const { items, nextCursor } = await this.orders.list(query, caller)
    return { items: items.map((found) => this.#view(found, caller)), nextCursor }
  }

  @Get(':id')
  @ApiOkResponse({ type: OrderDto })
  async one(
    @Param('id') id: string,
    @Caller() caller: CallerIdentity,
    @ConsistencyTokenHeader() token: ConsistencyToken | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.freshness.reach(token)
    const found = await this.orders.find(id, caller)
    if (!found) throw notFound('order')
    void reply.header('etag', etagOf(found.order.version))
    return this.#view(found, caller)
  }

  @Get(':id/history')
  @ApiOkResponse({ type: OrderHistoryDto })
  async history(@Param('id') id: string, @Caller() caller: CallerIdentity, @ConsistencyTokenHeader() token: ConsistencyToken | undefined) {
    await this.freshness.reach(token)
    const rows = await this.orders.history(id, caller)
    if (!rows) throw notFound('order')
    return { items: rows.map(({ at, type, by, summary }) => ({ at: at.toISOString(), type, by, summary })) }
  }

  #view(found: OrderWithPayment, caller: CallerIdentity) {
    const { customerId, shippingAddress } = found.order
    const seesAddress = caller.sub === customerId || hasRole(caller, 'support')
    return orderView(found, seesAddress ? this.openAddress(shippingAddress) : undefined)
  }
}
