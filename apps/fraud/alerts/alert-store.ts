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
  /** Of a sample alone, which no order waits for: of how many like it this one was drawn, in (0, 1]. */
  readonly share?: number
  readonly decided?: { readonly decision: AlertDecision; readonly by: string; readonly note: string; readonly at: number }
}

/** How long a sample waits for a label, and how far back precision and recall look. */
export const LABEL_WITHIN_MS = 7 * 86_400_000

/** `sampled` and `labelled` are samples; an order waits, or waited, for all others. */
export const ALERT_STATUSES = ['open', 'approved', 'declined', 'sampled', 'labelled'] as const
export type AlertStatus = (typeof ALERT_STATUSES)[number]

export const statusOf = ({ share, decided }: AlertRow): AlertStatus => {
  if (share !== undefined) return decided === undefined ? 'sampled' : 'labelled'
  return decided === undefined ? 'open' : decided.decision === 'approve' ? 'approved' : 'declined'
}

/** The alerts by their newest state, written in the transaction of the events. A sample that lapsed is in it no more. */
export interface AlertStore {
  project(tx: Transaction, events: readonly AlertEvent[]): Promise<void>
  get(alertId: string): Promise<AlertRow | undefined>
  /** By id, which is the order in which they were raised. Without a status: no samples. */
  list(query: { readonly status?: AlertStatus; readonly after?: string; readonly limit: number }): Promise<readonly AlertRow[]>
  /** Ids of open alerts and of samples without a label whose time is over, the oldest first, and none of `except`. */
  due(now: number, limit: number, except?: readonly string[]): Promise<readonly string[]>
}
