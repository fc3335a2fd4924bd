import { eventType, EventTypes } from '#event-store'
import Type from 'typebox'

const Id = Type.String({ minLength: 1, maxLength: 256 })
const Paise = Type.String({ pattern: '^(0|[1-9][0-9]{0,17})$' })
const Instant = Type.String({ minLength: 20, maxLength: 30 })
const Decision = Type.Enum(['approve', 'decline'])

const scored = {
  alertId: Id,
  orderId: Id,
  customerId: Id,
  amount: Paise,
  score: Type.Number({ minimum: 0, maximum: 1 }),
  reasons: Type.Array(Type.Object({ code: Id, contribution: Type.Number(), text: Type.String() })),
  modelVersion: Id,
  at: Instant,
  dueAt: Instant,
}
const decided = { alertId: Id, orderId: Id, decision: Decision, by: Id, note: Type.String(), at: Instant }
const exactly = { additionalProperties: false }

/** What is written of alerts. A schema that changes is a new version, with an upcast from the one before. */
export const alertEvents = new EventTypes([
  eventType('AlertRaised', Type.Object(scored, exactly)),
  eventType('AlertDecided', Type.Object(decided, exactly)),
  eventType('SampleTaken', Type.Object({ ...scored, share: Type.Number({ exclusiveMinimum: 0, maximum: 1 }) }, exactly)),
  eventType('SampleLabelled', Type.Object(decided, exactly)),
  eventType('SampleLapsed', Type.Object({ alertId: Id, orderId: Id, at: Instant }, exactly)),
])
