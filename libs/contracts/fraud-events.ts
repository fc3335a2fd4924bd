import Type, { type Static } from 'typebox'
import { Amount, defineMessage, Id, Timestamp, Version } from './define.js'

export const FRAUD_EVENTS = 'fraud.events'

export const FraudDecision = Type.Union([Type.Literal('approve'), Type.Literal('review'), Type.Literal('decline')])
export type FraudDecision = Static<typeof FraudDecision>

const scored = Type.Object({
  orderId: Id,
  customerId: Id,
  amount: Amount,
  score: Type.Number(),
  decision: FraudDecision,
  reasons: Type.Array(Type.Object({ code: Type.String(), contribution: Type.Number(), text: Type.String() })),
  modelVersion: Type.String(),
  at: Timestamp,
})
export const TransactionScored = defineMessage(FRAUD_EVENTS, 'TransactionScored', 1, scored, {
  orderId: '0190a000-0000-7000-8000-000000000001',
  customerId: 'c-1',
  amount: '299800',
  score: 0.12,
  decision: 'approve',
  reasons: [{ code: 'new-device', contribution: 0.05, text: 'first order from this device' }],
  modelVersion: 'scorecard-1',
  at: '2026-11-01T10:00:00.500Z',
})
export type TransactionScoredData = Static<typeof scored>

const decided = Type.Object({
  alertId: Id,
  orderId: Id,
  version: Version,
  decision: Type.Union([Type.Literal('approve'), Type.Literal('decline')]),
  /** `sub` of the analyst, or `app:fraud` when the time for it ran out. */
  by: Type.String(),
  at: Timestamp,
})
/** A reviewed order moves on, or is declined. Keyed by order. */
export const AlertDecided = defineMessage(FRAUD_EVENTS, 'AlertDecided', 1, decided, {
  alertId: '0190a000-0000-7000-8000-0000000000b1',
  orderId: '0190a000-0000-7000-8000-000000000001',
  version: 2,
  decision: 'approve',
  by: 'risk-1',
  at: '2026-11-01T10:05:00.000Z',
})
export type AlertDecidedData = Static<typeof decided>
