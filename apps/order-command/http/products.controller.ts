import type { Events } from '#event-store'
import type { Clock } from '#kernel'
import { gstRatesAt, type ProductDetails } from '#order'
import {
  HttpCommand,
  Idempotent,
  invalidInput,
  OwnedBy,
  Roles,
  type CommandRequest,
  type FieldError,
  type OwnershipResolver,
  type RecordedAnswer,
} from '#platform'
import { Body, Controller, HttpCode, Inject, Injectable, Param, Post, Put } from '@nestjs/common'
import { CommandBus } from '@nestjs/cqrs'
import { ApiBody, ApiCreatedResponse, ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger'
import { MoveStock, type StockMove } from '../commands/move-stock.js'
import { PutProduct } from '../commands/put-product.js'
import { CLOCK, EVENT_STORE, RULES } from '../ports.js'
import type { Rules } from '../rules.js'
import { productRef } from '../streams.js'
import { AdjustStockDto, MoveStockDto, ProductResource, PutProductDto, ReceiveStockDto, StockResource } from './product.dto.js'

const notZero = { type: 'object', properties: { adjusted: { not: { enum: [0] } } } }

/** Any product that is in the catalogue is every merchant's. */
@Injectable()
export class AnyProduct implements OwnershipResolver {
  constructor(@Inject(EVENT_STORE) private readonly events: Pick<Events, 'load'>) {}

  async owns(sku: string): Promise<boolean> {
    return (await this.events.load(productRef(sku))).state !== null
  }
}

@Controller('v1/products')
@ApiTags('catalogue')
export class ProductsController {
  constructor(
    @Inject(CommandBus) private readonly bus: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RULES) private readonly rules: Rules,
  ) {}

  @Put(':sku')
  @Roles('merchant', 'admin')
  @ApiOperation({ summary: 'Define a product, or change it as a whole.' })
  @ApiOkResponse({ type: ProductResource })
  @ApiCreatedResponse({ type: ProductResource })
  put(@Param('sku') sku: string, @Body() body: PutProductDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    const rates = gstRatesAt(this.clock.now(), this.rules.gstRates)
    if (!rates.includes(body.gstRate))
      throw invalidInput([{ pointer: '/gstRate', detail: `must be a GST rate valid today: ${rates.join(', ')}` }])
    return this.bus.execute(new PutProduct(request, sku, productDetails(body)))
  }

  @Post(':sku/stock')
  @Roles('merchant', 'admin')
  @OwnedBy(AnyProduct, 'sku')
  @Idempotent('optional')
  @HttpCode(200)
  @ApiOperation({ summary: 'Receive units, or adjust them after a count.' })
  @ApiExtraModels(ReceiveStockDto, AdjustStockDto)
  @ApiBody({ schema: { oneOf: [{ $ref: getSchemaPath(ReceiveStockDto) }, { allOf: [{ $ref: getSchemaPath(AdjustStockDto) }, notZero] }] } })
  @ApiOkResponse({ type: StockResource })
  moveStock(@Param('sku') sku: string, @Body() body: MoveStockDto, @HttpCommand() request: CommandRequest): Promise<RecordedAnswer> {
    return this.bus.execute(new MoveStock(request, sku, stockMove(body)))
  }
}

const productDetails = ({ title, description, category, brand, price, gstRate, hsn, attributes }: PutProductDto): ProductDetails => ({
  title,
  ...(description === undefined ? {} : { description }),
  category,
  ...(brand === undefined ? {} : { brand }),
  price: price.amount,
  gstRate,
  ...(hsn === undefined ? {} : { hsn }),
  ...(attributes === undefined ? {} : { attributes: { ...attributes } }),
})

/** Which of the two it is, or a 400 that names the field in the way. */
const stockMove = ({ received, adjusted, reason }: MoveStockDto): StockMove => {
  if (received !== undefined) {
    const errors: FieldError[] = []
    if (adjusted !== undefined) errors.push({ pointer: '/adjusted', detail: 'cannot be given with received' })
    if (reason !== undefined) errors.push({ pointer: '/reason', detail: 'belongs to adjusted' })
    if (errors.length > 0) throw invalidInput(errors)
    return { type: 'receive', quantity: received }
  }
  if (adjusted === undefined && reason !== undefined) throw invalidInput([{ pointer: '/adjusted', detail: 'is required with a reason' }])
  if (adjusted === undefined) throw invalidInput([{ pointer: '/received', detail: 'is required, or adjusted with its reason' }])
  if (adjusted === 0) throw invalidInput([{ pointer: '/adjusted', detail: 'must not be 0' }])
  if (reason === undefined) throw invalidInput([{ pointer: '/reason', detail: 'is required' }])
  return { type: 'adjust', quantity: adjusted, reason }
}
