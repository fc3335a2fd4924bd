import { isCardNumber } from '#payment'
import { OneOf, rule, Text, VisibleAscii, Vpa } from '#platform'

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

  @VisibleAscii(128, {
    description:
      "A network token of the provider's, never a card number: 12 to 19 digits of which the last is their Luhn check digit are refused, also with hyphens between them.",
    example: 'tok_success',
  })
  @rule('cardNumber', "must be the provider's token, never a card number", (value) => typeof value !== 'string' || !isCardNumber(value))
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

const PLAN = {
  max: 32,
  optional: true,
  pattern: { source: '^[A-Z0-9_]{2,32}$', rule: 'must be the name of a plan: capitals, digits and underscores' },
}

/** The same where an order may be paid by instalments, or later. */
export class PlannedCardDto extends CardPaymentDto {
  @Text({ ...PLAN, description: 'An EMI plan that goes by card.', example: 'EMI_6' })
  readonly plan?: string
}

export class PlannedNetbankingDto extends NetbankingPaymentDto {
  @Text({ ...PLAN, description: "A plan that goes by a lender's page.", example: 'LAZYPAY' })
  readonly plan?: string
}

export type ProviderPaymentDto = UpiPaymentDto | CardPaymentDto | NetbankingPaymentDto

export const THROUGH_PROVIDER = { upi: UpiPaymentDto, card: CardPaymentDto, netbanking: NetbankingPaymentDto } as const
