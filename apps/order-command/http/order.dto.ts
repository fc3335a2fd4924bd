import { MAX_LINES } from '#order'
import { OrderItemDto, ShippingAddressDto } from '#order-http'
import { PlannedCardDto, PlannedNetbankingDto, THROUGH_PROVIDER, type ProviderPaymentDto } from '#payment-http'
import { IsMoney, ListOf, Nested, OneOf, Text, Uuid, Variant, VisibleAscii, type MoneyDto } from '#platform'

export class WalletPaymentDto {
  @OneOf(['wallet'])
  readonly method!: 'wallet'

  @Uuid()
  readonly walletId!: string
}

export class CodPaymentDto {
  @OneOf(['cod'])
  readonly method!: 'cod'
}

export class SplitPaymentDto {
  @OneOf(['split'])
  readonly method!: 'split'

  @Uuid()
  readonly walletId!: string

  @IsMoney({ positive: true, description: 'What the wallet pays: less than the grand total.' })
  readonly amount!: MoneyDto

  @Variant('method', THROUGH_PROVIDER, { description: 'What the rest is paid by.' })
  readonly other!: ProviderPaymentDto
}

export type PaymentDto = WalletPaymentDto | ProviderPaymentDto | CodPaymentDto | SplitPaymentDto

class DeviceDto {
  @VisibleAscii(128, { example: 'device-7f3a' })
  readonly id!: string
}

export class PlaceOrderDto {
  @ListOf(() => OrderItemDto, { min: 1, max: MAX_LINES, description: 'Each sku on one line.' })
  readonly items!: OrderItemDto[]

  @Nested(() => ShippingAddressDto)
  readonly shippingAddress!: ShippingAddressDto

  @Variant('method', {
    wallet: WalletPaymentDto,
    ...THROUGH_PROVIDER,
    card: PlannedCardDto,
    netbanking: PlannedNetbankingDto,
    cod: CodPaymentDto,
    split: SplitPaymentDto,
  })
  readonly payment!: PaymentDto

  @Nested(() => DeviceDto, { optional: true })
  readonly device?: DeviceDto
}

/** What the person who cancels, or gives something back, writes. Personal. */
const WRITTEN = { max: 500 } as const

export class CancelOrderDto {
  @Text({ ...WRITTEN, optional: true, example: 'Ordered twice' })
  readonly reason?: string
}

export class ShipOrderDto {
  @Text({ max: 100, example: 'Delhivery' })
  readonly carrier!: string

  @VisibleAscii(64, { example: 'DL123456789IN' })
  readonly trackingNumber!: string
}

export class ReturnOrderDto {
  @ListOf(() => OrderItemDto, { min: 1, max: MAX_LINES, description: 'Each sku on one line, at most the units that were ordered.' })
  readonly items!: OrderItemDto[]

  @Text({ ...WRITTEN, example: 'The left bud is silent' })
  readonly reason!: string
}

/** Of a call that says all by its path. */
export class NothingDto {}
