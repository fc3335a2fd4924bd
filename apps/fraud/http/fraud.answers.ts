import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { ALERT_STATUSES } from '../alerts/alert-store.js'

/** What the routes answer, for OpenAPI. */
class AmountAnswer {
  @ApiProperty({ example: '149900', description: 'Whole paise, as a string.' })
  readonly amount!: string

  @ApiProperty({ enum: ['INR'] })
  readonly currency!: 'INR'
}

class ReasonAnswer {
  @ApiProperty({ example: 'new-device' })
  readonly code!: string

  @ApiProperty({ type: 'number', description: 'Its part of the score.' })
  readonly contribution!: number

  @ApiProperty()
  readonly text!: string
}

export class ScoreAnswer {
  @ApiProperty({ type: 'number', minimum: 0, maximum: 1 })
  readonly score!: number

  @ApiProperty({ enum: ['approve', 'review', 'decline'] })
  readonly decision!: string

  @ApiProperty({ type: [ReasonAnswer] })
  readonly reasons!: readonly ReasonAnswer[]

  @ApiProperty()
  readonly modelVersion!: string

  @ApiProperty({ type: 'integer' })
  readonly latencyMs!: number
}

class DecisionAnswer {
  @ApiProperty({ enum: ['approve', 'decline'] })
  readonly decision!: string

  @ApiProperty({ description: '`app:fraud` when nobody decided in time.' })
  readonly by!: string

  @ApiProperty()
  readonly note!: string

  @ApiProperty({ format: 'date-time' })
  readonly at!: string
}

export class AlertAnswer {
  @ApiProperty({ format: 'uuid' })
  readonly alertId!: string

  @ApiProperty()
  readonly orderId!: string

  @ApiProperty()
  readonly customerId!: string

  @ApiProperty()
  readonly amount!: AmountAnswer

  @ApiProperty({ type: 'number' })
  readonly score!: number

  @ApiProperty({ type: [ReasonAnswer] })
  readonly reasons!: readonly ReasonAnswer[]

  @ApiProperty()
  readonly modelVersion!: string

  @ApiProperty({
    enum: ALERT_STATUSES,
    description: '`sampled`: approved by scoring alone, and drawn so that an analyst says what they would have decided; then `labelled`.',
  })
  readonly status!: string

  @ApiProperty({ format: 'date-time' })
  readonly raisedAt!: string

  @ApiProperty({ format: 'date-time', description: 'Undecided until then, the order is declined; a sample is there no more.' })
  readonly dueAt!: string

  @ApiProperty({ type: 'integer', description: 'As in the ETag; `If-Match` of a decision is held against it.' })
  readonly version!: number

  @ApiPropertyOptional()
  readonly decision?: DecisionAnswer
}

export class AlertsAnswer {
  @ApiProperty({ type: [AlertAnswer] })
  readonly items!: readonly AlertAnswer[]

  @ApiProperty({ type: 'string', nullable: true })
  readonly nextCursor!: string | null
}
