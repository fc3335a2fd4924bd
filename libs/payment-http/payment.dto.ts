import { OneOf, Text, VisibleAscii, Vpa } from '#platform'

/** Ways to pay through a payment provider, as clients send them, whichever app they are sent to. */
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

export type ProviderPaymentDto = UpiPaymentDto | CardPaymentDto | NetbankingPaymentDto

export const THROUGH_PROVIDER = { upi: UpiPaymentDto, card: CardPaymentDto, netbanking: NetbankingPaymentDto } as const
