import { eventType, EventTypes } from '#event-store'
import Type from 'typebox'

const Id = Type.String({ minLength: 1, maxLength: 256 })
const Paise = Type.String({ pattern: '^(0|[1-9][0-9]{0,17})$' })
const Instant = Type.String({ minLength: 20, maxLength: 30 })
const Decision = Type.Enum(['approve', 'decline'])

/** What is written of alerts. A schema that changes is a new version, with an upcast from the one before. */
export const alertEvents = new EventTypes([
  eventType(
    'AlertRaised',
    Type.Object(
      {
        alertId: Id,
        orderId: Id,
        customerId: Id,
        amount: Paise,
        score: Type.Number({ minimum: 0, maximum: 1 }),
        reasons: Type.Array(Type.Object({ code: Id, contribution: Type.Number(), text: Type.String() })),
        modelVersion: Id,
        at: Instant,
        dueAt: Instant,
      },
      { additionalProperties: false },
    ),
  ),
  eventType(
    'AlertDecided',
    Type.Object(
      { alertId: Id, orderId: Id, decision: Decision, by: Id, note: Type.String(), at: Instant },
      { additionalProperties: false },
    ),
  ),
])
