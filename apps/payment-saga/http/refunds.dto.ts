import { IsMoney, Text, type MoneyDto } from '#platform'

export class RefundDto {
  @IsMoney({ positive: true, optional: true, description: 'Without it all that is left.' })
  readonly amount?: MoneyDto

  @Text({ max: 500, description: 'Kept with the refund, beside your name. No personal data.', example: 'one of two was damaged' })
  readonly reason!: string
}
