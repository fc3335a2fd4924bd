import { toMoneyJson, type JsonObject } from '#kernel'
import { statusOf, type AlertRow } from './alert-store.js'

const time = (at: number): string => new Date(at).toISOString()

/** An alert as the review queue answers it. */
export const alertView = (row: AlertRow): JsonObject => {
  const { amount, currency } = toMoneyJson(row.amount)
  return {
    alertId: row.alertId,
    orderId: row.orderId,
    customerId: row.customerId,
    amount: { amount, currency },
    score: row.score,
    reasons: row.reasons.map(({ code, contribution, text }) => ({ code, contribution, text })),
    modelVersion: row.modelVersion,
    status: statusOf(row),
    // Raised or taken, and decided once: the alert's stream in the number of its events.
    version: row.decided ? 2 : 1,
    raisedAt: time(row.raisedAt),
    dueAt: time(row.dueAt),
    ...(row.decided && {
      decision: { decision: row.decided.decision, by: row.decided.by, note: row.decided.note, at: time(row.decided.at) },
    }),
  }
}
