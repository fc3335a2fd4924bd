import { ORDER_STATUSES, type OrderStatus } from '#order'
import { OrderDto } from '#order-http'
import { Instant, ListOf, OneOf, PageQuery, Text } from '#platform'
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
