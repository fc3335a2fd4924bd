import Type from 'typebox'
import { defineMessage, Id, Timestamp } from './define.js'

/** Where consumers tell what they parked and what became of it, keyed by the dead letter's id. */
export const DEAD_LETTERS = 'dead-letters'
/** Where a redrive is asked for; the group that parked the message acts on it. */
export const REDRIVES = 'redrives'

const Name = Type.String({ maxLength: 200 })
const Text = Type.String({ maxLength: 1_024 })

const change = {
  /** The dead letter's. */
  id: Id,
  group: Name,
  topic: Name,
  /** Counts the changes of this letter; of those that follow one another closely only the last is told. */
  revision: Type.Integer({ minimum: 1 }),
}

const parked = Type.Object({
  ...change,
  partition: Type.Integer({ minimum: 0 }),
  offset: Type.String({ pattern: '^[0-9]{1,19}$' }),
  key: Type.String(),
  /** What the message said of itself; empty where it could not be read. */
  messageId: Text,
  type: Text,
  source: Text,
  errorClass: Type.String(),
  error: Type.String(),
  /** Equal faults have equal ones. */
  stackHash: Type.String({ maxLength: 64 }),
  attempts: Type.Integer({ minimum: 0 }),
  parkedAt: Timestamp,
})

/** A message that nobody will handle until a person sends it back. Its data stays with the group that parked it. */
export const MessageParked = defineMessage(DEAD_LETTERS, 'MessageParked', 1, parked, {
  id: '5f0c6c0a-8d2f-8a3b-9c51-0f7e2d4b6a81',
  group: 'order-query',
  topic: 'orders.events',
  revision: 1,
  partition: 0,
  offset: '4711',
  key: '0190a000-0000-7000-8000-000000000001',
  messageId: '0190a000-0000-7000-8000-0000000000aa/42/0',
  type: 'OrderPlaced',
  source: 'order-command',
  errorClass: 'ContractViolation',
  error: 'OrderPlaced v1: /version must be integer',
  stackHash: '9f86d081884c7d65',
  attempts: 8,
  parkedAt: '2026-11-01T10:00:00.000Z',
})

const moved = Type.Object({
  ...change,
  /** `sub` of who sent it back. */
  by: Type.String({ maxLength: 255 }),
  at: Timestamp,
})

const movedExample = {
  id: '5f0c6c0a-8d2f-8a3b-9c51-0f7e2d4b6a81',
  group: 'order-query',
  topic: 'orders.events',
  revision: 2,
  by: 'asha',
  at: '2026-11-01T11:00:00.000Z',
}

/** It was sent back, and is tried again. */
export const MessageRedriven = defineMessage(DEAD_LETTERS, 'MessageRedriven', 1, moved, movedExample)
/** It was sent back and then handled. */
export const MessageRecovered = defineMessage(DEAD_LETTERS, 'MessageRecovered', 1, moved, { ...movedExample, revision: 3 })

const requested = Type.Object({
  id: Id,
  by: Type.String({ maxLength: 255 }),
})

/** Asks for a dead letter to be taken up again; any number of times, with one effect. Keyed by its id. */
export const RedriveRequested = defineMessage(REDRIVES, 'RedriveRequested', 1, requested, {
  id: '5f0c6c0a-8d2f-8a3b-9c51-0f7e2d4b6a81',
  by: 'asha',
})
