import { MAX_LINES, MAX_QUANTITY, STATE_CODES } from '#order'
import { IndianPhone, ListOf, MoneyDto, Nested, OneOf, Pincode, Sku, Text, Uuid, Variant, VisibleAscii, Vpa, Whole } from '#platform'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'

class OrderItemDto {
  @Sku()
  readonly sku!: string

  @Whole({ min: 1, max: MAX_QUANTITY, example: 2 })
  readonly quantity!: number
}

export class ShippingAddressDto {
  @Text({ max: 100, example: 'Asha Rao' })
  readonly name!: string

  @Text({ max: 200, example: '14 MG Road' })
  readonly line1!: string

  @Text({ max: 200, optional: true })
  readonly line2?: string

  @Text({ max: 100, example: 'Bengaluru' })
  readonly city!: string

  @OneOf(STATE_CODES, {
    description: 'ISO 3166-2:IN letters; those of before November 2023 (CT, OR, TG, UT) are taken too.',
    example: 'KA',
  })
  readonly state!: string

  @Pincode()
  readonly pincode!: string

  @IndianPhone()
  readonly phone!: string
}

export class WalletPaymentDto {
  @OneOf(['wallet'])
  readonly method!: 'wallet'

  @Uuid()
  readonly walletId!: string
}

export class UpiPaymentDto {
  @OneOf(['upi'])
  readonly method!: 'upi'

  @Vpa()
  readonly vpa!: string

  @OneOf(['collect', 'intent'], { optional: true, description: 'collect unless given.' })
  readonly flow?: 'collect' | 'intent'
}

export class CardPaymentDto {
  @OneOf(['card'])
  readonly method!: 'card'

  @VisibleAscii(128, { description: "A network token of the provider's; never a card number.", example: 'tok_success' })
  readonly token!: string
}

export class NetbankingPaymentDto {
  @OneOf(['netbanking'])
  readonly method!: 'netbanking'

  @Text({
    max: 32,
    pattern: { source: '^[A-Z0-9_]{2,32}$', rule: 'must be a bank code: capitals, digits and underscores' },
    example: 'SBOX_SUCCESS',
  })
  readonly bankCode!: string
}

export class CodPaymentDto {
  @OneOf(['cod'])
  readonly method!: 'cod'
}

export type PaymentDto = WalletPaymentDto | UpiPaymentDto | CardPaymentDto | NetbankingPaymentDto | CodPaymentDto

class DeviceDto {
  @VisibleAscii(128, { example: 'device-7f3a' })
  readonly id!: string
}

export class PlaceOrderDto {
  @ListOf(() => OrderItemDto, { min: 1, max: MAX_LINES, description: 'Each sku on one line.' })
  readonly items!: OrderItemDto[]

  @Nested(() => ShippingAddressDto)
  readonly shippingAddress!: ShippingAddressDto

  @Variant(
    'method',
    { wallet: WalletPaymentDto, upi: UpiPaymentDto, card: CardPaymentDto, netbanking: NetbankingPaymentDto, cod: CodPaymentDto },
    { description: '`split` is not offered yet: 400.' },
  )
  readonly payment!: PaymentDto

  @Nested(() => DeviceDto, { optional: true })
  readonly device?: DeviceDto
}

export class CancelOrderDto {
  @Text({ max: 500, optional: true, example: 'Ordered twice' })
  readonly reason?: string
}

class GstResource {
  @ApiProperty({ type: MoneyDto })
  readonly cgst!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly sgst!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly igst!: MoneyDto
}

class OrderItemResource {
  @ApiProperty({ type: 'string' })
  readonly sku!: string

  @ApiProperty({ type: 'string' })
  readonly title!: string

  @ApiProperty({ type: 'string' })
  readonly category!: string

  @ApiProperty({ type: 'integer' })
  readonly quantity!: number

  @ApiProperty({ type: MoneyDto })
  readonly unitPrice!: MoneyDto

  @ApiProperty({ type: 'integer', description: 'Percent, contained in the price.' })
  readonly gstRate!: number

  @ApiPropertyOptional({ type: 'string' })
  readonly hsn?: string

  @ApiProperty({ type: MoneyDto })
  readonly lineTotal!: MoneyDto

  @ApiProperty({ type: GstResource })
  readonly gst!: GstResource
}

class TotalsResource {
  @ApiProperty({ type: MoneyDto })
  readonly subtotal!: MoneyDto

  @ApiProperty({ type: GstResource })
  readonly gst!: GstResource

  @ApiProperty({ type: MoneyDto })
  readonly shipping!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly grandTotal!: MoneyDto
}

class PaymentResource {
  @ApiProperty({ enum: ['wallet', 'upi', 'card', 'netbanking', 'cod'] })
  readonly method!: string

  @ApiPropertyOptional({ type: 'string' })
  readonly walletId?: string

  @ApiPropertyOptional({ enum: ['collect', 'intent'] })
  readonly flow?: string

  @ApiPropertyOptional({ type: 'string', description: 'The instrument, masked.' })
  readonly display?: string

  @ApiPropertyOptional({ enum: ['RUNNING'], description: 'Of an order just placed, as are the amounts.' })
  readonly status?: string

  @ApiPropertyOptional({ type: MoneyDto })
  readonly amount?: MoneyDto

  @ApiPropertyOptional({ type: MoneyDto })
  readonly authorised?: MoneyDto

  @ApiPropertyOptional({ type: MoneyDto })
  readonly captured?: MoneyDto

  @ApiPropertyOptional({ type: MoneyDto })
  readonly refunded?: MoneyDto
}

class CancellationResource {
  @ApiProperty({ enum: ['out-of-stock', 'payment-declined', 'payment-expired', 'fraud-declined', 'customer', 'merchant'] })
  readonly reason!: string

  @ApiPropertyOptional({ type: 'string', description: 'What the person who cancelled wrote.' })
  readonly note?: string

  @ApiProperty({ type: 'string', format: 'date-time' })
  readonly at!: string

  @ApiProperty({ type: 'string', description: 'Who cancelled it.' })
  readonly by!: string
}

/** For OpenAPI: what `orderResource` makes. */
export class OrderResource {
  @ApiProperty({ type: 'string', format: 'uuid' })
  readonly orderId!: string

  @ApiProperty({ type: 'string' })
  readonly customerId!: string

  @ApiProperty({ enum: ['PLACED', 'CANCELLED'] })
  readonly status!: string

  @ApiProperty({ type: [OrderItemResource] })
  readonly items!: OrderItemResource[]

  @ApiPropertyOptional({ type: ShippingAddressDto, description: 'For the owner only.' })
  readonly shippingAddress?: ShippingAddressDto

  @ApiProperty({ type: TotalsResource })
  readonly totals!: TotalsResource

  @ApiProperty({ type: PaymentResource })
  readonly payment!: PaymentResource

  @ApiPropertyOptional({ type: CancellationResource })
  readonly cancellation?: CancellationResource

  @ApiProperty({ type: 'string', format: 'date-time' })
  readonly placedAt!: string

  @ApiProperty({ type: 'string', format: 'date-time' })
  readonly updatedAt!: string

  @ApiProperty({ type: 'integer' })
  readonly version!: number
}
