import { Instant, IsMoney, ListOf, MoneyDto, Nested, OneOf, PageQuery, Text, Uuid, Whole } from '#platform'
import { ORDER_STATUSES, type OrderStatus } from '../read-models/order.entity.js'
import { NextCursor } from './reads.js'
import { ORDER_SORTS, type OrderSort } from '../read-models/orders.js'

export class OrdersQuery extends PageQuery {
  @OneOf(ORDER_STATUSES, { optional: true })
  readonly status?: OrderStatus

  @Instant({ optional: true, description: 'Placed at this time or after it.' })
  readonly from?: string

  @Instant({ optional: true, description: 'Placed before this time.' })
  readonly to?: string

  @Text({ max: 200, optional: true, description: 'Words of titles, categories, skus, or the order id.' })
  readonly q?: string

  @OneOf(ORDER_SORTS, { optional: true, description: '`-placedAt` (newest first) unless given.' })
  readonly sort?: OrderSort

  @Text({ max: 255, optional: true, description: 'For staff and merchants; a customer sees only their own orders whatever it says.' })
  readonly customerId?: string
}

class GstDto {
  @IsMoney() readonly cgst!: MoneyDto
  @IsMoney() readonly sgst!: MoneyDto
  @IsMoney() readonly igst!: MoneyDto
}

class OrderLineDto {
  @Text({ max: 64 }) readonly sku!: string
  @Text({ max: 1_000 }) readonly title!: string
  @Text({ max: 1_000 }) readonly category!: string
  @Whole({ min: 1, max: Number.MAX_SAFE_INTEGER }) readonly quantity!: number
  @IsMoney({ description: 'GST included.' }) readonly unitPrice!: MoneyDto
  @Whole({ min: 0, max: 100, description: 'Percent.' }) readonly gstRate!: number
  @Text({ max: 100, optional: true }) readonly hsn?: string
  @IsMoney() readonly lineTotal!: MoneyDto
  @Nested(() => GstDto) readonly gst!: GstDto
}

class TotalsDto {
  @IsMoney({ description: 'Price x quantity of all lines, GST included.' }) readonly subtotal!: MoneyDto
  @Nested(() => GstDto, { description: 'The part of it that is tax.' }) readonly gst!: GstDto
  @IsMoney() readonly shipping!: MoneyDto
  @IsMoney() readonly grandTotal!: MoneyDto
}

class ShippingAddressDto {
  @Text({ max: 1_000 }) readonly name!: string
  @Text({ max: 1_000 }) readonly line1!: string
  @Text({ max: 1_000, optional: true }) readonly line2?: string
  @Text({ max: 1_000 }) readonly city!: string
  @Text({ max: 2 }) readonly state!: string
  @Text({ max: 6 }) readonly pincode!: string
  @Text({ max: 20 }) readonly phone!: string
}

class OrderPaymentDto {
  @Text({ max: 128, optional: true, description: 'Once the payment has begun.' }) readonly paymentId?: string
  @OneOf(['wallet', 'upi', 'card', 'netbanking', 'cod', 'split']) readonly method!: string
  @Text({ max: 128, optional: true }) readonly walletId?: string
  @OneOf(['collect', 'intent'], { optional: true }) readonly flow?: string
  @Text({ max: 256, optional: true, description: 'The instrument, masked.' }) readonly display?: string
  @OneOf(['RUNNING', 'WAITING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION']) readonly status!: string
  @IsMoney() readonly amount!: MoneyDto
  @IsMoney() readonly authorised!: MoneyDto
  @IsMoney() readonly captured!: MoneyDto
  @IsMoney() readonly refunded!: MoneyDto
}

class CancellationDto {
  @OneOf(['out-of-stock', 'payment-declined', 'payment-expired', 'fraud-declined', 'customer', 'merchant']) readonly reason!: string
  @Text({ max: 1_000, optional: true }) readonly note?: string
  @Instant() readonly at!: string
  @Text({ max: 256 }) readonly by!: string
}

export class OrderDto {
  @Uuid() readonly orderId!: string
  @Text({ max: 255 }) readonly customerId!: string
  @OneOf(ORDER_STATUSES) readonly status!: OrderStatus
  @ListOf(() => OrderLineDto, { min: 1, max: 100 }) readonly items!: readonly OrderLineDto[]
  @Nested(() => ShippingAddressDto, { optional: true, description: 'For the owner and support; gone once the customer is erased.' })
  readonly shippingAddress?: ShippingAddressDto
  @Nested(() => TotalsDto) readonly totals!: TotalsDto
  @Nested(() => OrderPaymentDto) readonly payment!: OrderPaymentDto
  @Nested(() => CancellationDto, { optional: true }) readonly cancellation?: CancellationDto
  @Instant() readonly placedAt!: string
  @Instant() readonly updatedAt!: string
  @Whole({ min: 1, max: Number.MAX_SAFE_INTEGER, description: 'As in the ETag.' }) readonly version!: number
}

export class OrderPageDto {
  @ListOf(() => OrderDto, { max: 100 }) readonly items!: readonly OrderDto[]
  @NextCursor() readonly nextCursor!: string | null
}

class HistoryEntryDto {
  @Instant() readonly at!: string
  @Text({ max: 100, description: 'What happened: `OrderPlaced`, `PaymentChanged`.' }) readonly type!: string
  @Text({ max: 256, description: "The person's `sub`, or `app:` and the app's name." }) readonly by!: string
  @Text({ max: 1_000, description: 'A sentence for people.' }) readonly summary!: string
}

export class OrderHistoryDto {
  @ListOf(() => HistoryEntryDto, { max: 1_000 }) readonly items!: readonly HistoryEntryDto[]
}
