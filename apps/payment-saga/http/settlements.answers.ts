import { MoneyDto } from '#platform'
import { ApiProperty } from '@nestjs/swagger'

class CommissionGstAnswer {
  @ApiProperty({ type: MoneyDto })
  readonly cgst!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly sgst!: MoneyDto
}

export class SplitAnswer {
  @ApiProperty({ type: MoneyDto, description: 'Captured less refunded: commission, its GST and payable add up to it.' })
  readonly collected!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly commission!: MoneyDto

  @ApiProperty({ type: CommissionGstAnswer })
  readonly commissionGst!: CommissionGstAnswer

  @ApiProperty({ type: MoneyDto, description: "The merchant's." })
  readonly payable!: MoneyDto
}

class SettlementLineAnswer extends SplitAnswer {
  @ApiProperty({ enum: ['capture', 'refund'] })
  readonly kind!: string

  @ApiProperty({ format: 'uuid' })
  readonly paymentId!: string

  @ApiProperty({ format: 'uuid' })
  readonly orderId!: string

  @ApiProperty({ format: 'date-time' })
  readonly at!: string
}

export class SettlementAnswer extends SplitAnswer {
  @ApiProperty({ format: 'date', description: "A day of India's calendar." })
  readonly date!: string

  @ApiProperty({ type: 'integer' })
  readonly captures!: number

  @ApiProperty({ type: 'integer' })
  readonly refunds!: number

  @ApiProperty({ type: [SettlementLineAnswer], description: 'In the order in which they happened.' })
  readonly items!: readonly SettlementLineAnswer[]

  @ApiProperty({ type: String, nullable: true })
  readonly nextCursor!: string | null
}
