import { MoneyDto } from '#platform'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { SAGA_STATUSES, SAGA_TYPES } from './sagas.dto.js'

/** What the routes answer, for OpenAPI. */
class NextAnswer {
  @ApiProperty({ enum: ['redirect', 'intent'] })
  readonly kind!: string

  @ApiProperty()
  readonly url!: string
}

class ActionAnswer {
  @ApiProperty({ enum: ['running', 'succeeded', 'refused', 'expired', 'interrupted', 'registered'] })
  readonly status!: string

  @ApiPropertyOptional({ enum: ['command', 'activity', 'wait', 'saga', 'given'] })
  readonly kind?: string

  @ApiPropertyOptional({ type: 'integer', description: 'Sendings of a command; runs of an activity that did not settle it.' })
  readonly attempts?: number

  @ApiPropertyOptional({ type: 'integer' })
  readonly round?: number

  @ApiPropertyOptional({ format: 'date-time' })
  readonly startedAt?: string

  @ApiPropertyOptional({ format: 'date-time' })
  readonly endedAt?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'When it is sent again, or its time is over.' })
  readonly timerAt?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'When it is asked about again.' })
  readonly nextRunAt?: string

  @ApiPropertyOptional({ description: 'What the last run without an outcome came to.' })
  readonly lastUnknown?: string

  @ApiPropertyOptional({ description: 'Why it was refused: a slug.' })
  readonly reason?: string

  @ApiPropertyOptional()
  readonly detail?: string
}

class StepAnswer extends ActionAnswer {
  @ApiProperty({ example: 'reserve-stock' })
  readonly step!: string

  @ApiPropertyOptional({ type: ActionAnswer })
  readonly compensation?: ActionAnswer
}

export class PaymentAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly paymentId!: string

  @ApiProperty({ format: 'uuid' })
  readonly sagaId!: string

  @ApiProperty({ enum: SAGA_STATUSES, description: "The saga's." })
  readonly status!: string

  @ApiProperty({ enum: ['wallet', 'upi', 'card', 'netbanking', 'cod', 'split'] })
  readonly method!: string

  @ApiProperty({ type: MoneyDto })
  readonly amount!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly authorised!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly captured!: MoneyDto

  @ApiProperty({ type: MoneyDto })
  readonly refunded!: MoneyDto

  @ApiPropertyOptional({ type: NextAnswer })
  readonly next?: NextAnswer

  @ApiProperty({ type: [StepAnswer] })
  readonly steps!: readonly StepAnswer[]
}

class SagaRowAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly sagaId!: string

  @ApiProperty({ enum: SAGA_TYPES })
  readonly type!: string

  @ApiProperty({ type: 'integer' })
  readonly definition!: number

  @ApiProperty({ enum: SAGA_STATUSES })
  readonly status!: string

  @ApiProperty({ description: 'What it is about: the order.' })
  readonly correlationKey!: string

  @ApiPropertyOptional({ description: 'The step under way.' })
  readonly step?: string

  @ApiPropertyOptional()
  readonly waitingFor?: string

  @ApiProperty({ format: 'date-time' })
  readonly startedAt!: string

  @ApiProperty({ format: 'date-time' })
  readonly updatedAt!: string

  @ApiProperty({ type: 'integer', description: 'As in the ETag.' })
  readonly version!: number
}

export class SagasAnswer {
  @ApiProperty({ type: [SagaRowAnswer] })
  readonly items!: readonly SagaRowAnswer[]

  @ApiProperty({ type: 'string', nullable: true })
  readonly nextCursor!: string | null
}

class FailureAnswer {
  @ApiProperty()
  readonly step!: string

  @ApiProperty()
  readonly reason!: string

  @ApiPropertyOptional()
  readonly detail?: string
}

class AttentionAnswer {
  @ApiProperty()
  readonly step!: string

  @ApiProperty({ enum: ['do', 'undo'] })
  readonly side!: string

  @ApiProperty()
  readonly why!: string

  @ApiProperty({ format: 'date-time' })
  readonly since!: string
}

class TimelineAnswer {
  @ApiProperty({ format: 'date-time' })
  readonly at!: string

  @ApiProperty({ example: 'StepStarted' })
  readonly type!: string

  @ApiProperty({ description: '`sub` of the operator, or `app:payment-saga`.' })
  readonly by!: string

  @ApiPropertyOptional()
  readonly step?: string

  @ApiPropertyOptional({ enum: ['do', 'undo'] })
  readonly side?: string

  @ApiPropertyOptional({ enum: ['retry', 'compensate', 'resume', 'migrate'], description: 'What an operator did.' })
  readonly action?: string

  @ApiPropertyOptional({ description: "How a step ended by an operator's word." })
  readonly outcome?: string

  @ApiPropertyOptional({ description: 'How the operator knows it.' })
  readonly evidence?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'When the action is sent again, or is over.' })
  readonly dueAt?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'When the activity runs (again).' })
  readonly runAt?: string

  @ApiPropertyOptional({ format: 'date-time', description: "To when the saga's timer was moved." })
  readonly timerAt?: string

  @ApiPropertyOptional({ description: 'Why, in words: of an operator, the reason.' })
  readonly detail?: string
}

export class SagaAnswer extends SagaRowAnswer {
  @ApiPropertyOptional({ type: FailureAnswer, description: 'Why it turned back.' })
  readonly failure?: FailureAnswer

  @ApiProperty({ type: [AttentionAnswer], description: 'What waits for an operator, each to be retried or resumed by its step.' })
  readonly attention!: readonly AttentionAnswer[]

  @ApiProperty()
  readonly pastPivot!: boolean

  @ApiPropertyOptional({ format: 'date-time' })
  readonly timerAt?: string

  @ApiProperty({ type: [StepAnswer] })
  readonly steps!: readonly StepAnswer[]

  @ApiPropertyOptional({ type: [TimelineAnswer], description: 'What happened, in order: the latest 200, or those before the cursor.' })
  readonly timeline?: readonly TimelineAnswer[]

  @ApiPropertyOptional({ type: 'string', nullable: true, description: '`cursor` for the 200 before these; null: there are none.' })
  readonly timelineCursor?: string | null
}

class BulkItemAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly sagaId!: string

  @ApiProperty({ enum: SAGA_TYPES })
  readonly type!: string

  @ApiProperty({ enum: SAGA_STATUSES, description: 'Before.' })
  readonly status!: string

  @ApiProperty()
  readonly correlationKey!: string

  @ApiProperty({ enum: ['matched', 'applied', 'refused', 'failed'] })
  readonly result!: string

  @ApiPropertyOptional({ description: 'Why it was refused: a slug.' })
  readonly reason?: string

  @ApiPropertyOptional()
  readonly detail?: string
}

export class BulkAnswer {
  @ApiProperty()
  readonly dryRun!: boolean

  @ApiProperty({ type: 'integer' })
  readonly matched!: number

  @ApiProperty({ type: 'integer' })
  readonly applied!: number

  @ApiProperty({ type: [BulkItemAnswer] })
  readonly items!: readonly BulkItemAnswer[]

  @ApiProperty({ type: 'string', nullable: true })
  readonly nextCursor!: string | null
}

export class RefundAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly refundId!: string

  @ApiProperty({ format: 'uuid' })
  readonly paymentId!: string

  @ApiProperty({ format: 'uuid' })
  readonly orderId!: string

  @ApiProperty({ type: MoneyDto })
  readonly amount!: MoneyDto

  @ApiProperty({ enum: ['PENDING', 'COMPLETED'] })
  readonly status!: string

  @ApiPropertyOptional({ enum: ['request', 'return', 'cancellation'] })
  readonly for?: string

  @ApiPropertyOptional({ format: 'date-time' })
  readonly at?: string
}

export class RefundsAnswer {
  @ApiProperty({ type: [RefundAnswer] })
  readonly items!: readonly RefundAnswer[]
}

export class WebhookAnswer {
  @ApiProperty()
  readonly received!: boolean
}
