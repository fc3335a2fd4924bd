import { CommandAnswered, type CommandAnsweredData } from '#contracts'
import type { Command, Commands, Decision, StatesOf, StreamRef } from '#event-store'
import type { IncomingMessage, OutgoingMessage, Refusal } from '#kernel'
import type { BatchHandler } from '#messaging'
import { fingerprint } from '#platform'

/** What a command message asks of this app. */
export interface Asked {
  /** Who waits for the answer. */
  readonly replyTo: string
  readonly streams: readonly StreamRef[]
  /** Pure; may run more than once. */
  decide(states: StatesOf): { readonly appends: Decision['appends'] } | Refusal
}

/** The command's type is not one that this app knows: an older app got a newer command. It waits in the dead letters. */
export class UnknownCommand extends Error {
  constructor(type: string, topic: string) {
    super(`${topic}: no command ${type} is known here`)
  }
}

/**
 * Handles command messages: each is executed once under its own id, in the consumer's transaction, and answered on `replies`. A command that
 * was executed before gets the same answer again: its sender may not have got the first.
 */
export const answering =
  (store: Pick<Commands, 'executeAll'>, understand: (message: IncomingMessage) => Asked): BatchHandler =>
  (messages) => {
    const commands = messages.map((message) => commandOf(message, understand(message)))
    return Promise.resolve(async (tx) => {
      const answered = await store.executeAll(commands, tx)
      const again = messages.flatMap((message, at) => {
        const { replayed = false, answer = '' } = answered[at] ?? {}
        return replayed ? [answerAgain(message, answer)] : []
      })
      if (again.length > 0) await store.executeAll(again, tx)
    })
  }

const commandOf = (message: IncomingMessage, asked: Asked): Command => ({
  id: message.id,
  fingerprint: fingerprint({ type: message.type, data: message.data }),
  streams: asked.streams,
  metadata: metadataOf(message),
  decide: (states) => {
    const decided = asked.decide(states)
    const refused = 'refused' in decided ? decided : undefined
    const data: CommandAnsweredData = {
      replyTo: asked.replyTo,
      commandId: message.id,
      command: message.type,
      outcome: refused ? 'refused' : 'accepted',
      ...(refused ? { slug: refused.slug, detail: refused.detail } : {}),
    }
    return { appends: 'refused' in decided ? [] : decided.appends, messages: [answerTo(message, data)], answer: JSON.stringify(data) }
  },
})

/**
 * The answer once more. The store writes nothing for a command that it knows, so the answer is the message of another command, which
 * appends nothing; its id is of the message that came, so that this too happens once.
 */
const answerAgain = (message: IncomingMessage, answer: string): Command => {
  const { incarnation, position, ordinal } = message.origin
  return {
    id: `${message.id}#again-${incarnation}/${position}/${ordinal}`,
    fingerprint: fingerprint(answer),
    streams: [],
    metadata: metadataOf(message),
    decide: () => ({ appends: [], messages: [answerTo(message, CommandAnswered.parse(JSON.parse(answer)))], answer }),
  }
}

const answerTo = ({ id, context }: IncomingMessage, data: CommandAnsweredData): OutgoingMessage =>
  CommandAnswered.message(data.replyTo, data, { ...context, causationId: id })

const metadataOf = ({ id, source, context }: IncomingMessage): Command['metadata'] => ({
  ...context,
  causationId: id,
  actor: `app:${source}`,
})
