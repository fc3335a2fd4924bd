import { Flag, IsMoney, MAX_CURSOR_LENGTH, Nested, OneOf, PageQuery, Text, VisibleAscii, Whole, type MoneyDto } from '#platform'
import type { SagaStatus } from '#saga'
import { ORDER_CANCELLATION, ORDER_PAYMENT, PAYMENT_REFUND, SECOND_PAYMENT, WALLET_LOAD } from '../sagas/saga-types.js'

export const SAGA_TYPES = [ORDER_PAYMENT, ORDER_CANCELLATION, PAYMENT_REFUND, WALLET_LOAD, SECOND_PAYMENT] as const
export const SAGA_STATUSES = ['RUNNING', 'WAITING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION'] as const

export const DURATION = '^[0-9]{1,8}[smhd]?$'
const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90`, `90s`, `15m`, `2h`, `1d`: milliseconds. */
export const durationOf_ms = (text: string): number => {
  const unit = UNITS_MS[text.at(-1) ?? '']
  return unit === undefined ? Number(text) * 1_000 : Number(text.slice(0, -1)) * unit
}

const STUCK_FOR = {
  max: 9,
  optional: true,
  pattern: { source: DURATION, rule: 'must be a number of seconds, or a number with s, m, h or d behind it' },
  description: 'Only those that have not ended and where nothing has happened for this long: `90`, `15m`, `2h`, `1d`.',
  example: '15m',
}

export class SagasQuery extends PageQuery {
  @OneOf(SAGA_TYPES, { optional: true })
  readonly type?: (typeof SAGA_TYPES)[number]

  @OneOf(SAGA_STATUSES, { optional: true })
  readonly status?: SagaStatus

  @Text(STUCK_FOR)
  readonly stuckFor?: string
}

export class TimelineQuery {
  @Text({ max: MAX_CURSOR_LENGTH, optional: true, description: 'Opaque: `timelineCursor` of the answer with what came after.' })
  readonly cursor?: string
}

export class SagaFilterDto {
  @OneOf(SAGA_TYPES, { optional: true })
  readonly type?: (typeof SAGA_TYPES)[number]

  @OneOf(SAGA_STATUSES, { optional: true })
  readonly status?: SagaStatus

  @Text(STUCK_FOR)
  readonly stuckFor?: string
}

export const METHODS = ['wallet', 'upi', 'card', 'netbanking', 'cod'] as const

const REASON = {
  max: 500,
  description: 'Kept with the saga, beside your name. No personal data.',
  example: 'the provider confirmed by phone',
}

export class OperatorDto {
  @Text(REASON)
  readonly reason!: string
}

const STEP = { max: 64, pattern: { source: '^[a-z][a-z0-9-]{0,63}$', rule: 'must be the name of a step' }, example: 'capture-payment' }

export class RetryDto extends OperatorDto {
  @Text({ ...STEP, optional: true, description: 'Only this step; without it all that waits for an operator.' })
  readonly step?: string
}

class ManyDto extends OperatorDto {
  @Flag({ optional: true, description: 'Only says which they would be, and why others could not.' })
  readonly dryRun?: boolean

  @Whole({ min: 1, max: 100, optional: true, description: '100 unless set.' })
  readonly limit?: number

  @Text({ max: MAX_CURSOR_LENGTH, optional: true, description: 'Opaque: `nextCursor` of the answer before.' })
  readonly cursor?: string
}

/** One hand on many. */
export class BulkDto extends ManyDto {
  @Nested(() => SagaFilterDto, { description: 'At least one of its names.' })
  readonly filter!: SagaFilterDto
}

export class MigrateDto extends ManyDto {
  @OneOf(SAGA_TYPES)
  readonly type!: (typeof SAGA_TYPES)[number]

  @Whole({ min: 1, max: 1_000_000, description: 'The version of the definition that they run on.' })
  readonly from!: number

  @Whole({ min: 1, max: 1_000_000, description: 'The version under which they are to go on: one that this app has.' })
  readonly to!: number
}

export class BulkResumeDto extends BulkDto {
  @Text(STEP)
  readonly step!: string

  @OneOf(['succeeded', 'refused'])
  readonly outcome!: 'succeeded' | 'refused'

  @Text({ max: 1_000, description: 'How it is known. No personal data.', example: 'settlement file of 2026-11-02' })
  readonly evidence!: string
}

export class ResumeDto {
  @Text(STEP)
  readonly step!: string

  @OneOf(['succeeded', 'refused'])
  readonly outcome!: 'succeeded' | 'refused'

  @Text({ max: 1_000, description: 'How it is known. No personal data.', example: 'settlement file of 2026-11-02, line 17' })
  readonly evidence!: string

  @Text({ ...REASON, optional: true })
  readonly reason?: string

  @VisibleAscii(128, {
    optional: true,
    description: "The provider's id of the payment. Needed where `authorise-payment` succeeded and no answer has told it.",
  })
  readonly providerPaymentId?: string

  @OneOf(['approve', 'review', 'decline'], {
    optional: true,
    description: 'Needed where `score-fraud` or `await-review` succeeded: what was decided.',
  })
  readonly decision?: 'approve' | 'review' | 'decline'

  @IsMoney({ optional: true, description: 'Needed where `await-capture` succeeded: what was taken of the customer.' })
  readonly captured?: MoneyDto

  @OneOf(METHODS, { optional: true, description: 'Needed where `await-capture` succeeded: how it was taken.' })
  readonly method?: (typeof METHODS)[number]

  @VisibleAscii(128, { optional: true, description: 'Needed where `await-capture` succeeded and a wallet paid.' })
  readonly walletId?: string
}
