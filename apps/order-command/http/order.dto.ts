import { MAX_LINES } from '#order'
import { OrderItemDto, ShippingAddressDto } from '#order-http'
import { IsMoney, ListOf, Nested, OneOf, Text, Uuid, Variant, VisibleAscii, Vpa, type MoneyDto } from '#platform'

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

const THROUGH_PROVIDER = { upi: UpiPaymentDto, card: CardPaymentDto, netbanking: NetbankingPaymentDto } as const

export class SplitPaymentDto {
  @OneOf(['split'])
  readonly method!: 'split'

  @Uuid()
  readonly walletId!: string

  @IsMoney({ positive: true, description: 'What the wallet pays: less than the grand total.' })
  readonly amount!: MoneyDto

  @Variant('method', THROUGH_PROVIDER, { description: 'What the rest is paid by.' })
  readonly other!: UpiPaymentDto | CardPaymentDto | NetbankingPaymentDto
}

export type PaymentDto = WalletPaymentDto | UpiPaymentDto | CardPaymentDto | NetbankingPaymentDto | CodPaymentDto | SplitPaymentDto

class DeviceDto {
  @VisibleAscii(128, { example: 'device-7f3a' })
  readonly id!: string
}

export class PlaceOrderDto {
  @ListOf(() => OrderItemDto, { min: 1, max: MAX_LINES, description: 'Each sku on one line.' })
  readonly items!: OrderItemDto[]

  @Nested(() => ShippingAddressDto)
  readonly shippingAddress!: ShippingAddressDto

  @Variant('method', { wallet: WalletPaymentDto, ...THROUGH_PROVIDER, cod: CodPaymentDto, split: SplitPaymentDto })
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
