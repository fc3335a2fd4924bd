import type { Events } from '#event-store'
import { currentStateLetters } from '#order'
import {
  hasRole,
  HttpCommand,
  Idempotent,
  invalidInput,
  OwnedBy,
  Roles,
  type CallerIdentity,
  type CommandRequest,
  type OwnershipResolver,
  type RecordedAnswer,
} from '#platform'
import { Body, Controller, HttpCode, Inject, Injectable, Param, Post } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { CancelOrder } from '../commands/cancel-order.js'
import { PlaceOrder, type OrderRequest } from '../commands/place-order.js'
import { EVENT_STORE } from '../ports.js'
import { orderRef } from '../streams.js'
import { CancelOrderDto, OrderResource, PlaceOrderDto } from './order.dto.js'

/** A merchant's orders are all of them; a customer's are their own. */
@Injectable()
export class OrderOwnership implements OwnershipResolver {
  constructor(@Inject(EVENT_STORE) private readonly events: Pick<Events, 'load'>) {}

  async owns(id: string, caller: CallerIdentity): Promise<boolean> {
    const { state } = await this.events.load(orderRef(id))
    if (state === null) return false
    return hasRole(caller, 'merchant') || state.customerId === caller.sub
  }
}

@Controller('v1/orders')
@ApiTags('orders')
export class OrdersController {
  constructor(@Inject(CommandBus) private readonly bus: CommandBus) {}

  @Post()
  @Roles('customer')
  @Idempotent('required')
  @HttpCode(201)
  @ApiOperation({ summary: 'Place an order at the catalogue’s prices; payment goes on by itself.' })
  @ApiCreatedResponse({ type: OrderResource })
  place(@Body() body: PlaceOrderDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    refuseRepeatedSkus(body)
    return this.bus.execute(new PlaceOrder(request, orderRequest(body)))
  }

  @Post(':id/cancel')
  @Roles('customer', 'merchant')
  @OwnedBy(OrderOwnership)
  @HttpCode(200)
  @ApiOperation({ summary: 'Cancel an order that is not shipped; money and stock follow by saga.' })
  @ApiOkResponse({ type: OrderResource })
  cancel(@Param('id') id: string, @Body() { reason }: CancelOrderDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new CancelOrder(request, id, reason))
  }
}

const refuseRepeatedSkus = ({ items }: PlaceOrderDto): void => {
  const seen = new Set<string>()
  const errors = items.flatMap(({ sku }, index) => {
    if (seen.has(sku)) return [{ pointer: `/items/${index}/sku`, detail: 'is on another line too' }]
    seen.add(sku)
    return []
  })
  if (errors.length > 0) throw invalidInput(errors)
}

const orderRequest = ({ items, shippingAddress, payment, device }: PlaceOrderDto): OrderRequest => ({
  items: items.map(({ sku, quantity }) => ({ sku, quantity })),
  shippingAddress: { ...shippingAddress, state: currentStateLetters(shippingAddress.state) },
  payment: { ...payment },
  ...(device === undefined ? {} : { device: { id: device.id } }),
})
