import { MoneyDto } from '#platform'
import { ApiProperty } from '@nestjs/swagger'

// What the routes answer, for OpenAPI: the values themselves are made in `view.ts`.
export class WalletAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly walletId!: string

  @ApiProperty()
  readonly ownerId!: string

  @ApiProperty({ enum: ['small', 'full'] })
  readonly kyc!: string

  @ApiProperty()
  readonly balance!: MoneyDto

  @ApiProperty()
  readonly held!: MoneyDto

  @ApiProperty()
  readonly available!: MoneyDto

  @ApiProperty({ enum: ['OPEN', 'FROZEN', 'CLOSED'] })
  readonly status!: string

  @ApiProperty({ type: 'integer' })
  readonly version!: number
}

export class EntryAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly entryId!: string

  @ApiProperty()
  readonly wallet!: WalletAnswer
}

export class HoldAnswer {
  @ApiProperty()
  readonly holdId!: string

  @ApiProperty({ format: 'uuid' })
  readonly walletId!: string

  @ApiProperty({ enum: ['OPEN', 'CAPTURED', 'RELEASED'] })
  readonly status!: string

  @ApiProperty()
  readonly amount!: MoneyDto

  @ApiProperty({ required: false })
  readonly captured?: MoneyDto

  @ApiProperty({ required: false })
  readonly released?: MoneyDto

  @ApiProperty()
  readonly reference!: string

  @ApiProperty({ type: 'string', format: 'date-time', nullable: true })
  readonly expiresAt!: string | null
}

class LoadPaymentAnswer {
  @ApiProperty({ enum: ['upi', 'card', 'netbanking'] })
  readonly method!: string

  @ApiProperty({ required: false, enum: ['collect', 'intent'] })
  readonly flow?: string

  @ApiProperty({ description: 'The instrument, masked.' })
  readonly display!: string
}

class LoadNextAnswer {
  @ApiProperty({ enum: ['redirect', 'intent'] })
  readonly kind!: string

  @ApiProperty()
  readonly url!: string
}

export class LoadAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly loadId!: string

  @ApiProperty({ format: 'uuid' })
  readonly walletId!: string

  @ApiProperty({ enum: ['PENDING', 'COMPLETED', 'FAILED'], description: 'COMPLETED: the wallet was credited.' })
  readonly status!: string

  @ApiProperty()
  readonly amount!: MoneyDto

  @ApiProperty()
  readonly payment!: LoadPaymentAnswer

  @ApiProperty({ required: false, description: 'Where the payer goes on, while it is PENDING.' })
  readonly next?: LoadNextAnswer

  @ApiProperty({
    required: false,
    description: 'Why it FAILED: what was taken for it, if anything was, goes back.',
    example: 'payment-declined',
  })
  readonly reason?: string

  @ApiProperty({ format: 'date-time' })
  readonly requestedAt!: string

  @ApiProperty({ format: 'date-time' })
  readonly updatedAt!: string
}

export class TransferAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly transferId!: string

  @ApiProperty({ enum: ['COMPLETED'] })
  readonly status!: string

  @ApiProperty({ format: 'uuid' })
  readonly fromWalletId!: string

  @ApiProperty({ format: 'uuid' })
  readonly toWalletId!: string

  @ApiProperty()
  readonly amount!: MoneyDto

  @ApiProperty()
  readonly reference!: string
}

class WalletIdAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly walletId!: string
}

export class BeneficiaryAnswer extends WalletIdAnswer {
  @ApiProperty()
  readonly beneficiary!: WalletIdAnswer
}

export class StatementEntryAnswer {
  @ApiProperty()
  readonly entryId!: string

  @ApiProperty({ format: 'date-time' })
  readonly at!: string

  @ApiProperty({ enum: ['credit', 'load', 'debit', 'cash-out', 'refund', 'payout', 'capture', 'transfer-out', 'transfer-in'] })
  readonly type!: string

  @ApiProperty({ description: 'Above zero; `type` says which way it went.' })
  readonly amount!: MoneyDto

  @ApiProperty({ description: 'After the entry.' })
  readonly balance!: MoneyDto

  @ApiProperty()
  readonly reference!: string
}

export class StatementAnswer {
  @ApiProperty({ type: [StatementEntryAnswer] })
  readonly items!: readonly StatementEntryAnswer[]

  @ApiProperty({ type: 'string', nullable: true })
  readonly nextCursor!: string | null
}

class AccountAnswer {
  @ApiProperty({ enum: ['wallets', 'escrow', 'provider-clearing', 'merchant-payable', 'transfers', 'owner-payable'] })
  readonly account!: string

  @ApiProperty()
  readonly debits!: MoneyDto

  @ApiProperty()
  readonly credits!: MoneyDto

  @ApiProperty({ description: 'Credits less debits: above zero what is owed, below it what is owned.' })
  readonly balance!: MoneyDto
}

export class TrialBalanceAnswer {
  @ApiProperty({ type: [AccountAnswer] })
  readonly accounts!: readonly AccountAnswer[]

  @ApiProperty({ description: 'All balances together: zero.' })
  readonly total!: MoneyDto

  @ApiProperty({ type: 'integer', description: 'Over how many events of wallets.' })
  readonly countedEvents!: number
}

export class WalletEventAnswer {
  @ApiProperty({ type: 'integer' })
  readonly version!: number

  @ApiProperty()
  readonly type!: string

  @ApiProperty({ format: 'date-time' })
  readonly at!: string

  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly data!: object

  @ApiProperty({ description: 'Who: the caller, or `app:` and the app.' })
  readonly by!: string

  @ApiProperty({ type: 'string', nullable: true })
  readonly reason!: string | null

  @ApiProperty({
    type: 'string',
    nullable: true,
    description: 'From where: method and template of the route, `log` and the topic, or `timer`. None of events of older versions.',
    example: 'POST /v1/wallets/:id/freeze',
  })
  readonly origin!: string | null

  @ApiProperty()
  readonly commandId!: string

  @ApiProperty()
  readonly correlationId!: string

  @ApiProperty()
  readonly causationId!: string

  @ApiProperty({ description: 'Hexadecimal SHA-256 of the chain up to here.' })
  readonly hash!: string
}

export class WalletEventsAnswer {
  @ApiProperty({ type: [WalletEventAnswer] })
  readonly items!: readonly WalletEventAnswer[]

  @ApiProperty({ type: 'string', nullable: true })
  readonly nextCursor!: string | null
}

export class VerificationAnswer {
  @ApiProperty()
  readonly ok!: boolean

  @ApiProperty({ type: 'integer' })
  readonly version!: number

  @ApiProperty({ type: 'integer' })
  readonly checkedEvents!: number

  @ApiProperty({ description: 'Hash of the last event, hexadecimal.' })
  readonly head!: string

  @ApiProperty({ isArray: true, enum: ['hash-chain', 'balances', 'state'] })
  readonly faults!: readonly string[]
}
