import Type from 'typebox'
import { defineMessage, Id, Timestamp, Version } from './define.js'

export const AUDIT_EVENTS = 'audit.events'

const done = Type.Object({
  /** `sub` of who did it. */
  actor: Id,
  /** Of the actor's stream in the store of the app that publishes it. */
  version: Version,
  /** Method and template: `POST /v1/wallets/:id/freeze`. */
  action: Type.String({ maxLength: 300 }),
  /** On what: the path that was called. */
  path: Type.String({ maxLength: 1_024 }),
  /** By which of their roles they might. */
  roles: Type.Array(Type.String({ maxLength: 32 }), { minItems: 1 }),
  /** What it was answered. */
  status: Type.Integer({ minimum: 200, maximum: 499 }),
  /** The slug of a refusal. */
  refused: Type.Optional(Type.String({ maxLength: 64 })),
  /** Why, in the actor's words; numbers that a person could be known by are masked. */
  reason: Type.Optional(Type.String({ maxLength: 2_000 })),
  commandId: Type.String({ maxLength: 512 }),
  at: Timestamp,
})
/** What somebody did by a role that customers do not have: told of every such act, also of one that was refused. Keyed by actor. */
export const PrivilegedActDone = defineMessage(AUDIT_EVENTS, 'PrivilegedActDone', 1, done, {
  actor: 'asha',
  version: 7,
  action: 'POST /v1/wallets/:id/freeze',
  path: '/v1/wallets/0190a000-0000-7000-8000-0000000000c1/freeze',
  roles: ['support'],
  status: 200,
  reason: 'reported as stolen',
  commandId: 'http:4f1c',
  at: '2026-11-01T10:00:00.000Z',
})
