import { CommandAnswered, type CommandAnsweredData } from '#contracts'
import type { Command, Commands, Decision, StatesOf, StreamRef } from '#event-store'
import { isRefusal, type IncomingMessage, type OutgoingMessage, type Refusal, type Transaction } from '#kernel'
import type { BatchHandler } from '#messaging'
import { fingerprint } from '#platform'

/** What a command message asks of an app. */
export interface Asked {
  /** Who waits for the answer. */
  readonly replyTo: string
  readonly streams: readonly StreamRef[]
  /** Pure; may run more than once. */
  decide(states: StatesOf): Accepted | Refusal
}

export interface Accepted {
  readonly appends: Decision['appends']
  /** What the command's contract says that it answers with. */
  readonly result?: NonNullable<CommandAnsweredData['result']>
  /** Messages beside the answer. */
  readonly messages?: readonly OutgoingMessage[]
}

/** The command's type is not one that this app knows: an older app got a newer command. It waits in the dead letters. */
export class UnknownCommand extends Error {
  constructor(type: string, topic: string) {
    super(`${topic}: no command ${type} is known here`)
  }
}

/**
 * Handles command messages: each is executed once under its own id, in the consumer's transaction, and answered on `replies`. `understand`
 * throws for a message that breaks its contract.
 */
export const answering =
  (store: Pick<Commands, 'executeAll'>, understand: (message: IncomingMessage) => Asked): BatchHandler =>
  (messages) => {
    const asked = messages.map((message) => [message, understand(message)] as const)
    return Promise.resolve((tx) => executeAnswered(store, asked, tx))
  }

/**
 * Executes and answers commands in the consumer's transaction. A command that was executed before gets the same answer again: its sender may
 * not have got the first.
 */
export const executeAnswered = async (
  store: Pick<Commands, 'executeAll'>,
  asked: readonly (readonly [message: IncomingMessage, asked: Asked])[],
  tx: Transaction,
): Promise<void> => {
  const answered = await store.executeAll(
    asked.map(([message, each]) => commandOf(message, each)),
    tx,
  )
  const again = asked.flatMap(([message], at) => {
    const { replayed = false, answer = '' } = answered[at] ?? {}
    return replayed ? [answerAgain(message, answer)] : []
  })
  if (again.length > 0) await store.executeAll(again, tx)
}

const commandOf = (message: IncomingMessage, { replyTo, streams, decide }: Asked): Command => ({
  id: message.id,
  fingerprint: fingerprint({ type: message.type, data: message.data }),
  streams,
  metadata: { ...metadataOf(message), reason: message.type },
  decide: (states) => {
    const decided = decide(states)
    const data: CommandAnsweredData = { replyTo, commandId: message.id, command: message.type, ...outcomeOf(decided) }
    const { appends = [], messages = [] } = isRefusal(decided) ? {} : decided
    return { appends, messages: [answerTo(message, data), ...messages], answer: JSON.stringify(data) }
  },
})

const outcomeOf = (decided: Accepted | Refusal): Pick<CommandAnsweredData, 'outcome' | 'slug' | 'detail' | 'result'> => {
  if (isRefusal(decided)) return { outcome: 'refused', slug: decided.slug, detail: decided.detail }
  return { outcome: 'accepted', ...(decided.result && { result: decided.result }) }
}

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

const metadataOf = ({ id, source, topic, context }: IncomingMessage): Command['metadata'] => ({
  ...context,
  causationId: id,
  actor: `app:${source}`,
  origin: `log ${topic}`,
})
