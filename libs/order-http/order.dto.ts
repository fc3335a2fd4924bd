import { MAX_LINES, MAX_QUANTITY, ORDER_STATUSES, STATE_CODES, type OrderStatus } from '#order'
import { IndianPhone, Instant, IsMoney, ListOf, Nested, OneOf, Pincode, Sku, Text, Uuid, Whole, type MoneyDto } from '#platform'
import { ApiProperty } from '@nestjs/swagger'

/** The order as HTTP shows it, whichever app answers, and those parts that clients also send. */
export class OrderItemDto {
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

/** As an answer shows it. */
class ShownAddressDto extends ShippingAddressDto {
  @Text({
    min: 13,
    max: 13,
    pattern: { source: '^\\+91([6-9][0-9]{9}|\\*{6}[0-9]{4})$', rule: 'is +91 and 10 digits, masked but for four' },
    description: 'Whole for the owner; for anybody else `+91******3210`.',
    example: '+919876543210',
  })
  declare readonly phone: string
}

export class GstDto {
  @IsMoney() readonly cgst!: MoneyDto
  @IsMoney() readonly sgst!: MoneyDto
  @IsMoney() readonly igst!: MoneyDto
}

export class OrderLineDto {
  @Text({ max: 64 }) readonly sku!: string
  @Text({ max: 1_000 }) readonly title!: string
  @Text({ max: 1_000 }) readonly category!: string
  @Whole({ min: 1, max: MAX_QUANTITY }) readonly quantity!: number
  @IsMoney({ description: 'GST included.' }) readonly unitPrice!: MoneyDto
  @Whole({ min: 0, max: 100, description: 'Percent, contained in the price.' }) readonly gstRate!: number
  @Text({ max: 100, optional: true }) readonly hsn?: string
  @IsMoney() readonly lineTotal!: MoneyDto
  @Nested(() => GstDto) readonly gst!: GstDto
}

export class TotalsDto {
  @IsMoney({ description: 'Price x quantity of all lines, GST included.' }) readonly subtotal!: MoneyDto
  @Nested(() => GstDto, { description: 'The part of it that is tax.' }) readonly gst!: GstDto
  @IsMoney() readonly shipping!: MoneyDto
  @IsMoney() readonly grandTotal!: MoneyDto
}

export const PAYMENT_METHODS = ['wallet', 'upi', 'card', 'netbanking', 'cod', 'split'] as const

class OtherPaymentDto {
  @OneOf(['upi', 'card', 'netbanking']) readonly method!: string
  @OneOf(['collect', 'intent'], { optional: true }) readonly flow?: string
  @Text({ max: 256, optional: true, description: 'The instrument, masked.' }) readonly display?: string
}

/** How the customer chose to pay. */
export class PaymentChoiceDto {
  @OneOf(PAYMENT_METHODS) readonly method!: string
  @Text({ max: 128, optional: true }) readonly walletId?: string
  @IsMoney({ optional: true, description: 'What a split takes from the wallet.' }) readonly walletAmount?: MoneyDto
  @Nested(() => OtherPaymentDto, { optional: true, description: 'What a split takes the rest by.' }) readonly other?: OtherPaymentDto
  @OneOf(['collect', 'intent'], { optional: true }) readonly flow?: string
  @Text({ max: 256, optional: true, description: 'The instrument, masked.' }) readonly display?: string
  @Text({ max: 32, optional: true, description: 'The EMI or pay-later plan.' }) readonly plan?: string
}

export class OrderPaymentDto extends PaymentChoiceDto {
  @Text({ max: 128, optional: true, description: 'Once the payment has begun.' }) readonly paymentId?: string
  @OneOf(['RUNNING', 'WAITING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION']) readonly status!: string
  @IsMoney() readonly amount!: MoneyDto
  @IsMoney() readonly authorised!: MoneyDto
  @IsMoney() readonly captured!: MoneyDto
  @IsMoney() readonly refunded!: MoneyDto
}

export class ShipmentDto {
  @Text({ max: 100 }) readonly carrier!: string
  @Text({ max: 64 }) readonly trackingNumber!: string
  @Instant() readonly shippedAt!: string
  @Instant({ optional: true }) readonly outForDeliveryAt?: string
  @Instant({ optional: true }) readonly deliveredAt?: string
}

export class CancellationDto {
  @OneOf(['out-of-stock', 'payment-declined', 'payment-expired', 'fraud-declined', 'customer', 'merchant']) readonly reason!: string
  @Text({ max: 500, optional: true, description: 'What the person who cancelled wrote: for the owner, merchants and support.' })
  readonly note?: string
  @Instant() readonly at!: string
  @Text({ max: 256, description: 'Who cancelled it.' }) readonly by!: string
}

export class OrderReturnDto {
  @ListOf(() => OrderItemDto, { min: 1, max: MAX_LINES }) readonly items!: readonly OrderItemDto[]
  @Text({ max: 500, optional: true, description: 'What the customer wrote: for the owner, merchants and support.' })
  readonly reason?: string
  @Instant() readonly requestedAt!: string
  @Instant({ optional: true, description: 'When the goods were taken back.' }) readonly acceptedAt?: string
  @IsMoney({ optional: true, description: 'What is owed for them, GST included, from then on.' }) readonly refund?: MoneyDto
}

class OrderFactsDto {
  @Uuid() readonly orderId!: string
  @Text({ max: 255 }) readonly customerId!: string
  @OneOf(ORDER_STATUSES) readonly status!: OrderStatus
  @ListOf(() => OrderLineDto, { min: 1, max: MAX_LINES }) readonly items!: readonly OrderLineDto[]
  @Nested(() => ShownAddressDto, { optional: true, description: 'For the owner and support; gone once the customer is erased.' })
  readonly shippingAddress?: ShownAddressDto
  @Nested(() => TotalsDto) readonly totals!: TotalsDto
  @Nested(() => ShipmentDto, { optional: true }) readonly shipment?: ShipmentDto
  @Nested(() => CancellationDto, { optional: true }) readonly cancellation?: CancellationDto
  @Nested(() => OrderReturnDto, { optional: true }) readonly return?: OrderReturnDto
  @Instant() readonly placedAt!: string
  @Instant() readonly updatedAt!: string
  @Whole({ min: 1, max: Number.MAX_SAFE_INTEGER, description: 'As in the ETag.' }) readonly version!: number
}

export class OrderDto extends OrderFactsDto {
  @Nested(() => OrderPaymentDto) readonly payment!: OrderPaymentDto
}

/** What a change answers: how far the payment is only the read side knows. */
export class ChangedOrderDto extends OrderFactsDto {
  @ApiProperty({ type: PaymentChoiceDto }) readonly payment!: PaymentChoiceDto
}
