import { MoneyDto } from '#platform'
import { ApiProperty } from '@nestjs/swagger'
import { SplitAnswer } from './settlements.answers.js'

const DIFFERENCES = ['missing-here', 'missing-there', 'different-amount']

class ReconciliationFailureAnswer {
  @ApiProperty()
  readonly detail!: string

  @ApiProperty({ type: 'integer', required: false, description: 'Of a broken file: the line, from 1.' })
  readonly line?: number

  @ApiProperty({ required: false, description: 'Of a broken file: the column.' })
  readonly field?: string
}

class MatchedAnswer {
  @ApiProperty({ type: 'integer', description: 'Payments whose captures, or refunds, both sides have.' })
  readonly movements!: number

  @ApiProperty({ type: MoneyDto })
  readonly amount!: MoneyDto
}

class ByDifferenceAnswer {
  @ApiProperty({ type: 'integer' })
  readonly missingHere!: number

  @ApiProperty({ type: 'integer' })
  readonly missingThere!: number

  @ApiProperty({ type: 'integer' })
  readonly differentAmount!: number
}

class CaseCountsAnswer {
  @ApiProperty({ type: 'integer' })
  readonly open!: number

  @ApiProperty({ type: 'integer' })
  readonly resolved!: number

  @ApiProperty({ type: ByDifferenceAnswer })
  readonly byDifference!: ByDifferenceAnswer
}

class ProviderTotalsAnswer {
  @ApiProperty({ type: MoneyDto })
  readonly captured!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly refunded!: MoneyDto

  @ApiProperty({ type: MoneyDto, description: 'What the provider keeps, without tax.' })
  readonly fee!: MoneyDto

  @ApiProperty({ type: MoneyDto, description: 'GST on the fee.' })
  readonly tax!: MoneyDto

  @ApiProperty({ type: MoneyDto, description: 'What it pays out: captured less the others.' })
  readonly net!: MoneyDto
}

export class ReconciliationAnswer {
  @ApiProperty({ format: 'date', description: "A day of India's calendar." })
  readonly date!: string

  @ApiProperty({
    enum: ['WAITING', 'DONE', 'FAILED'],
    description:
      '`WAITING`: asked for, or for the file. `FAILED`: the file was broken or never came. What it says is then of the last that was whole.',
  })
  readonly status!: string

  @ApiProperty({ description: '`reconciliation`: by itself, when the day was over.' })
  readonly requestedBy!: string

  @ApiProperty()
  readonly reason!: string

  @ApiProperty({ format: 'date-time' })
  readonly requestedAt!: string

  @ApiProperty({ format: 'date-time', required: false })
  readonly finishedAt?: string

  @ApiProperty({ type: ReconciliationFailureAnswer, required: false })
  readonly failure?: ReconciliationFailureAnswer

  @ApiProperty({ type: 'integer', description: 'Of the file.' })
  readonly lines!: number

  @ApiProperty({ type: MatchedAnswer })
  readonly matched!: MatchedAnswer

  @ApiProperty({ type: CaseCountsAnswer, description: 'Cases that this day opened, as they are now.' })
  readonly cases!: CaseCountsAnswer

  @ApiProperty({ type: ProviderTotalsAnswer, description: "The file's sums." })
  readonly provider!: ProviderTotalsAnswer

  @ApiProperty({ type: SplitAnswer, description: 'What our books say of the day, by every way to pay, with our commission.' })
  readonly books!: SplitAnswer
}

export class ReconciliationAskedAnswer {
  @ApiProperty({ format: 'date' })
  readonly date!: string

  @ApiProperty({ enum: ['WAITING'] })
  readonly status!: string
}

export class ReconciliationCaseAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly caseId!: string

  @ApiProperty({ type: 'integer', description: 'Grows with its figures and its status; for `If-Match`.' })
  readonly version!: number

  @ApiProperty({ format: 'date', description: 'The day whose reconciliation opened it.' })
  readonly date!: string

  @ApiProperty({ enum: DIFFERENCES })
  readonly difference!: string

  @ApiProperty({ enum: ['capture', 'refund', 'adjustment'] })
  readonly kind!: string

  @ApiProperty()
  readonly providerPaymentId!: string

  @ApiProperty({ required: false, description: 'The order, or the load of a wallet, where we know one.' })
  readonly orderId?: string

  @ApiProperty({
    required: false,
    description: "The idempotency key of the payment, where the file says it: it begins with the saga's id.",
  })
  readonly reference?: string

  @ApiProperty({ type: MoneyDto, description: 'By the files, in all up to the day.' })
  readonly theirs!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly ours!: MoneyDto

  @ApiProperty({ enum: ['OPEN', 'RESOLVED'] })
  readonly status!: string

  @ApiProperty({ format: 'date-time' })
  readonly openedAt!: string

  @ApiProperty({ format: 'date-time', required: false })
  readonly resolvedAt?: string

  @ApiProperty({ required: false, description: '`reconciliation`: both sides agree after all.' })
  readonly resolvedBy?: string

  @ApiProperty({ required: false })
  readonly resolution?: string
}

export class ReconciliationCasesAnswer {
  @ApiProperty({ type: [ReconciliationCaseAnswer], description: 'The newest first.' })
  readonly items!: readonly ReconciliationCaseAnswer[]

  @ApiProperty({ type: String, nullable: true })
  readonly nextCursor!: string | null
}
