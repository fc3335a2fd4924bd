import type { JsonObject, MessageContext } from '#kernel'
import Type from 'typebox'
import { eventType, EventTypes } from './event-types.js'
import type { Command, StreamRef } from './store.js'
import type { RegisteredStreamType } from './stream.js'

/** What a caller does by roles that customers do not have. */
export interface Act {
  /** Method and template: `POST /v1/wallets/:id/freeze`. */
  readonly action: string
  /** On what: the path that was called, without query. */
  readonly path: string
  /** Those of the caller's roles by which they may. */
  readonly roles: readonly string[]
}

/** How it ended. */
export interface ActOutcome {
  readonly status: number
  /** The slug of a refusal. */
  readonly refused?: string
}

export const ACT_DONE = 'ActDone'

/**
 * The audit trail: a stream for each actor, in the store of the app that was acted on. Who, when, why and the correlation are the event's
 * metadata. Registered by every app with a store; what is in it is written in the transaction of the act itself.
 */
export const auditStream: RegisteredStreamType = {
  category: 'audit',
  initialState: {},
  evolve: (state) => state,
  // An actor may have done a great deal, of which nothing needs to be folded.
  snapshotEvery: 500,
  source: import.meta.url,
  events: new EventTypes([
    eventType(
      ACT_DONE,
      Type.Object(
        {
          action: Type.String({ maxLength: 300 }),
          path: Type.String({ maxLength: 1_024 }),
          roles: Type.Array(Type.String()),
          status: Type.Integer(),
          refused: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
    ),
  ]),
}

export const auditOf = (actor: string): StreamRef => ({ type: auditStream, id: actor })

export const actDone = (actor: string, { action, path, roles }: Act, { status, refused }: ActOutcome) => ({
  stream: auditOf(actor),
  events: [
    { type: ACT_DONE, data: { action, path, roles: [...roles], status, ...(refused === undefined ? {} : { refused }) } as JsonObject },
  ],
})

/** An act as a command of its own, for one whose effects are written by several commands in one transaction. */
export const actCommand = (
  id: string,
  { actor, reason, context }: { readonly actor: string; readonly reason?: string; readonly context: MessageContext },
  act: Act,
  outcome: ActOutcome,
): Command => ({
  id,
  fingerprint: act.path,
  streams: [auditOf(actor)],
  metadata: { ...context, actor, origin: act.action, ...(reason === undefined ? {} : { reason }) },
  decide: () => ({ appends: [actDone(actor, act, outcome)], answer: '{}' }),
})
