import type { AlertDecision, AlertEvent, Reason } from '#fraud'
import type { Paise, Transaction } from '#kernel'

/** An alert as the review queue shows it. Times in milliseconds since the epoch. */
export interface AlertRow {
  readonly alertId: string
  readonly orderId: string
  readonly customerId: string
  readonly amount: Paise
  readonly score: number
  readonly reasons: readonly Reason[]
  readonly modelVersion: string
  readonly raisedAt: number
  readonly dueAt: number
  readonly decided?: { readonly decision: AlertDecision; readonly by: string; readonly note: string; readonly at: number }
}

export const ALERT_STATUSES = ['open', 'approved', 'declined'] as const
export type AlertStatus = (typeof ALERT_STATUSES)[number]

export const statusOf = ({ decided }: AlertRow): AlertStatus =>
  decided === undefined ? 'open' : decided.decision === 'approve' ? 'approved' : 'declined'

/** The alerts by their newest state, written in the transaction of the events. */
export interface AlertStore {
  project(tx: Transaction, events: readonly AlertEvent[]): Promise<void>
  get(alertId: string): Promise<AlertRow | undefined>
  /** By id, which is the order in which they were raised. */
  list(query: { readonly status?: AlertStatus; readonly after?: string; readonly limit: number }): Promise<readonly AlertRow[]>
  /** Ids of open alerts whose time is over, the oldest first, and none of `except`. */
  due(now: number, limit: number, except?: readonly string[]): Promise<readonly string[]>
}
