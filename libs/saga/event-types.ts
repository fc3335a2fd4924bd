import { eventType, EventTypes } from '#event-store'
import Type, { type TProperties } from 'typebox'

/**
 * What is written of sagas, whatever their definition. These schemas are for good: one that changes is a new version, with an upcast from the
 * one before. What a definition keeps in `data`, `learned` and `body` is its own, and moves to another shape by `SagaMigrated`.
 */
const Id = Type.String({ minLength: 1 })
const Text = Type.String()
const Time = Type.Integer({ minimum: 0 })
const Count = Type.Integer({ minimum: 0 })
const Data = Type.Object({})
const optional = { learned: Type.Optional(Data), by: Type.Optional(Text) }

const sagaEvent = (type: string, own: TProperties = {}) =>
  eventType(type, Type.Object({ at: Time, ...own }, { additionalProperties: false }))

const action = { step: Id, side: Type.Enum(['do', 'undo']) }
const started = {
  ...action,
  kind: Type.Enum(['command', 'activity', 'wait', 'saga']),
  key: Id,
  round: Count,
  dueAt: Type.Optional(Time),
  runAt: Type.Optional(Time),
}

export const sagaEvents = new EventTypes([
  sagaEvent('SagaStarted', {
    sagaId: Id,
    saga: Id,
    definition: Count,
    correlationKey: Text,
    correlationId: Text,
    traceparent: Type.Optional(Text),
    data: Data,
    registered: Type.Array(Id),
    onlyForward: Type.Optional(Type.Boolean()),
    parent: Type.Optional(Type.Object({ sagaId: Id, key: Id }, { additionalProperties: false })),
  }),
  sagaEvent('StepStarted', { ...started, compensated: Type.Boolean(), beside: Type.Optional(Type.Boolean()) }),
  sagaEvent('UndoStarted', started),
  sagaEvent('CommandRepeated', { ...action, dueAt: Time }),
  sagaEvent('OutcomeUnknown', { ...action, detail: Text, runAt: Time, learned: optional.learned }),
  sagaEvent('ActionSucceeded', { ...action, ...optional, pivot: Type.Optional(Type.Boolean()) }),
  sagaEvent('ActionRefused', { ...action, ...optional, slug: Text, detail: Text }),
  sagaEvent('WindowClosed', { step: Id, runAt: Time, dueAt: Time }),
  sagaEvent('StepExpired', { step: Id }),
  sagaEvent('CompensationBegun', { step: Id, reason: Text, detail: Type.Optional(Text) }),
  sagaEvent('LateSuccess', { step: Id, ...optional }),
  sagaEvent('ActivityHastened', { ...action, runAt: Time }),
  sagaEvent('MessageReceived', { name: Id, body: Data, learned: optional.learned }),
  sagaEvent('InputNoted', { input: Text, why: Text }),
  sagaEvent('AttentionNeeded', { ...action, why: Text }),
  sagaEvent('OperatorActed', {
    action: Type.Enum(['retry', 'compensate', 'resume', 'migrate']),
    by: Text,
    reason: Text,
    step: Type.Optional(Text),
    outcome: Type.Optional(Text),
    evidence: Type.Optional(Text),
  }),
  sagaEvent('ToldSaga', { id: Id, to: Id, name: Type.Optional(Text) }),
  sagaEvent('SagaMigrated', { from: Count, to: Count, data: Type.Optional(Data) }),
  sagaEvent('TimerMoved', { timerAt: Type.Optional(Time) }),
  sagaEvent('SagaCompleted'),
  sagaEvent('SagaCompensated'),
])
