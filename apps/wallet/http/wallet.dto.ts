import { THROUGH_PROVIDER, type ProviderPaymentDto } from '#payment-http'
import { Flag, Instant, IsMoney, OneOf, PageQuery, QueryWhole, Text, Uuid, Variant, VisibleAscii, type MoneyDto } from '#platform'
import type { Kyc } from '#wallet'

const KYC = ['small', 'full'] as const
const reference = { max: 128, description: 'What it is for: an order, a settlement. No personal data.', example: 'order-0190a000' }
const reason = {
  max: 500,
  description: 'Why; kept with the event, sealed under the key of the owner.',
  example: 'reported by the customer',
}

export class OpenWalletDto {
  @VisibleAscii(128, { example: 'c-1' })
  readonly ownerId!: string

  @OneOf(KYC)
  readonly kyc!: Kyc
}

export class MoveMoneyDto {
  @IsMoney({ positive: true })
  readonly amount!: MoneyDto

  @Text(reference)
  readonly reference!: string
}

export class DebitDto extends MoveMoneyDto {
  @Flag({ optional: true, description: 'Paid to the owner in cash: the limits of cash hold. Not unless given.' })
  readonly cash?: boolean
}

export class LoadDto {
  @IsMoney({ positive: true })
  readonly amount!: MoneyDto

  @Variant('method', THROUGH_PROVIDER)
  readonly payment!: ProviderPaymentDto
}

export class HoldDto extends MoveMoneyDto {
  @Instant({ optional: true, description: 'From then on the hold releases itself; at most 90 days away.' })
  readonly expiresAt?: string
}

export class CaptureDto {
  @IsMoney({ positive: true, optional: true, description: 'All of the hold unless given; what is left of it is released.' })
  readonly amount?: MoneyDto
}

export class NothingDto {}

export class TransferDto extends MoveMoneyDto {
  @Uuid()
  readonly fromWalletId!: string

  @Uuid()
  readonly toWalletId!: string
}

export class ReasonDto {
  @Text(reason)
  readonly reason!: string
}

export class KycDto extends ReasonDto {
  @OneOf(KYC)
  readonly kyc!: Kyc
}

export class PastQuery {
  @QueryWhole({ min: 1, max: 1_000_000_000_000, optional: true, description: 'As it was at this version.' })
  readonly version?: number

  @Instant({ optional: true, description: 'As it was at this time.' })
  readonly at?: string
}

export class OwnerQuery extends PastQuery {
  @VisibleAscii(128)
  readonly ownerId!: string
}

export class StatementQuery extends PageQuery {
  @Instant({ optional: true, description: 'The first moment that counts.' })
  readonly from?: string

  @Instant({ optional: true, description: 'The first moment that no longer counts.' })
  readonly to?: string
}
