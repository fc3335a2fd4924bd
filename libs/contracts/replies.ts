import Type, { type Static } from 'typebox'
import { defineMessage, Id } from './define.js'

export const REPLIES = 'replies'

const answered = Type.Object({
  /** The saga that waits. */
  replyTo: Id,
  /** The id of the command message that this answers. */
  commandId: Id,
  command: Type.String(),
  outcome: Type.Union([Type.Literal('accepted'), Type.Literal('refused')]),
  /** Why it was refused: a slug and a sentence without personal data. */
  slug: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
  /** What the command's contract says that it answers with. */
  result: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
})

/** The one answer that a command message gets. Keyed by `replyTo`. */
export const CommandAnswered = defineMessage(REPLIES, 'CommandAnswered', 1, answered, {
  replyTo: '0190a000-0000-7000-8000-0000000000f1',
  commandId: '0190a000-0000-7000-8000-0000000000f1:reserve-stock',
  command: 'ReserveStock',
  outcome: 'refused',
  slug: 'out-of-stock',
  detail: 'BOAT-141: 1 available, 2 asked for',
})
export type CommandAnsweredData = Static<typeof answered>
