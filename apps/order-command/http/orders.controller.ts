import type { Events } from '#event-store'
import { currentStateLetters } from '#order'
import { ChangedOrderDto, OrderDto, type OrderItemDto } from '#order-http'
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
import { ChangeOrder, type OrderChange } from '../commands/change-order.js'
import { PlaceOrder, type OrderRequest } from '../commands/place-order.js'
import { EVENT_STORE } from '../ports.js'
import { orderRef } from '../streams.js'
import { CancelOrderDto, NothingDto, PlaceOrderDto, ReturnOrderDto, ShipOrderDto } from './order.dto.js'

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

/** A customer's own, whatever else they may be. */
@Injectable()
export class OwnOrders implements OwnershipResolver {
  constructor(@Inject(EVENT_STORE) private readonly events: Pick<Events, 'load'>) {}

  async owns(id: string, caller: CallerIdentity): Promise<boolean> {
    const { state } = await this.events.load(orderRef(id))
    return state?.customerId === caller.sub
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
  @ApiCreatedResponse({ type: OrderDto })
  place(@Body() body: PlaceOrderDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    refuseRepeatedSkus(body)
    return this.bus.execute(new PlaceOrder(request, orderRequest(body)))
  }

  @Post(':id/cancel')
  @Roles('customer', 'merchant')
  @OwnedBy(OrderOwnership)
  @HttpCode(200)
  @ApiOperation({ summary: 'Cancel an order that is not shipped; money and stock follow by saga.' })
  @ApiOkResponse({ type: ChangedOrderDto })
  cancel(@Param('id') id: string, @Body() { reason }: CancelOrderDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.#change(request, id, { type: 'cancel', ...(reason !== undefined && { note: reason }) })
  }

  @Post(':id/pack')
  @Roles('merchant')
  @OwnedBy(OrderOwnership)
  @HttpCode(200)
  @ApiOperation({ summary: 'A confirmed order is packed.' })
  @ApiOkResponse({ type: ChangedOrderDto })
  pack(@Param('id') id: string, @Body() _: NothingDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.#change(request, id, { type: 'pack' })
  }

  @Post(':id/ship')
  @Roles('merchant')
  @OwnedBy(OrderOwnership)
  @HttpCode(200)
  @ApiOperation({ summary: 'A packed order leaves the warehouse, and its goods the stock; from here on it cannot be cancelled.' })
  @ApiOkResponse({ type: ChangedOrderDto })
  ship(@Param('id') id: string, @Body() body: ShipOrderDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.#change(request, id, { type: 'ship', carrier: body.carrier, trackingNumber: body.trackingNumber })
  }

  @Post(':id/out-for-delivery')
  @Roles('merchant')
  @OwnedBy(OrderOwnership)
  @HttpCode(200)
  @ApiOperation({ summary: 'A shipped order is with the courier who rings the bell.' })
  @ApiOkResponse({ type: ChangedOrderDto })
  sendOut(@Param('id') id: string, @Body() _: NothingDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.#change(request, id, { type: 'sendOut' })
  }

  @Post(':id/deliver')
  @Roles('merchant')
  @OwnedBy(OrderOwnership)
  @HttpCode(200)
  @ApiOperation({ summary: 'The customer has it; an order by cash on delivery is paid with it.' })
  @ApiOkResponse({ type: ChangedOrderDto })
  deliver(@Param('id') id: string, @Body() _: NothingDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.#change(request, id, { type: 'deliver' })
  }

  @Post(':id/return')
  @Roles('customer')
  @OwnedBy(OwnOrders)
  @HttpCode(200)
  @ApiOperation({ summary: 'Ask to give some of a delivered order back, once; nothing moves before the merchant accepts.' })
  @ApiOkResponse({ type: ChangedOrderDto })
  requestReturn(@Param('id') id: string, @Body() body: ReturnOrderDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    refuseRepeatedSkus(body)
    const items = body.items.map(({ sku, quantity }) => ({ sku, quantity }))
    return this.#change(request, id, { type: 'requestReturn', items, reason: body.reason })
  }

  @Post(':id/return/accept')
  @Roles('merchant')
  @OwnedBy(OrderOwnership)
  @HttpCode(200)
  @ApiOperation({ summary: 'The goods are back and in stock again; what was paid for them follows by saga.' })
  @ApiOkResponse({ type: ChangedOrderDto })
  acceptReturn(@Param('id') id: string, @Body() _: NothingDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.#change(request, id, { type: 'acceptReturn' })
  }

  #change(request: CommandRequest, orderId: string, change: OrderChange): Promise<RecordedAnswer> {
    return this.bus.execute(new ChangeOrder(request, orderId, change))
  }
}

const refuseRepeatedSkus = ({ items }: { readonly items: readonly OrderItemDto[] }): void => {
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
  payment: payment.method === 'split' ? { ...payment, amount: payment.amount.amount } : { ...payment },
  ...(device === undefined ? {} : { device: { id: device.id } }),
})
