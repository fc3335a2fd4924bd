import { Flag, Instant, IsMoney, OneOf, PageQuery, Text, VisibleAscii, type MoneyDto } from '#platform'
import type { AlertDecision } from '#fraud'
import { ALERT_STATUSES, type AlertStatus } from '../alerts/alert-store.js'

const METHODS = ['wallet', 'upi', 'card', 'netbanking', 'cod', 'split'] as const

export class ScoreDto {
  @VisibleAscii(128, { example: 'c-1' })
  readonly customerId!: string

  @IsMoney({ positive: true })
  readonly amount!: MoneyDto

  @OneOf(METHODS)
  readonly method!: (typeof METHODS)[number]

  @VisibleAscii(128, { optional: true, description: "The delivery address's keyed hash, as orders carry it." })
  readonly addressHash?: string

  @VisibleAscii(128, { optional: true, description: "The device's keyed hash, as orders carry it." })
  readonly deviceHash?: string

  @Text({ max: 128, optional: true, description: "The device's id; it is hashed at once. Not beside `deviceHash`." })
  readonly deviceId?: string

  @Instant({ optional: true, description: 'When it is placed; now unless given.' })
  readonly at?: string

  @Flag({ optional: true, description: 'Whether it counts for those after it, as an order would; false unless given.' })
  readonly count?: boolean
}

export class AlertsQuery extends PageQuery {
  @OneOf(ALERT_STATUSES, { optional: true })
  readonly status?: AlertStatus
}

export class DecisionDto {
  @OneOf(['approve', 'decline'])
  readonly decision!: AlertDecision

  @Text({ max: 1_000, description: 'Why; kept with the decision. No personal data.', example: 'called the customer back' })
  readonly note!: string
}
