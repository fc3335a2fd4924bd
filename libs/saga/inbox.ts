import { CommandAnswered } from '#contracts'
import type { IncomingMessage, MessageContext, Transaction } from '#kernel'
import { noEffect } from '#messaging'
import type { SagaEngine } from './engine.js'
import { parseActionKey } from './ids.js'
import type { ActivityOutcome, SagaInput } from './input.js'

/** Turns a message into what it means to which sagas; none: it is of no interest. Throws where the message breaks its contract. */
export type Route = (message: IncomingMessage) => readonly SagaInput[]

/** Routes by message type; `CommandAnswered` is always routed. */
export type Routes = Readonly<Record<string, Route>>

/** Messages of the log to sagas: a batch handler without Nest. */
export class SagaInbox {
  constructor(
    private readonly engine: Pick<SagaEngine, 'apply'>,
    private readonly routes: Routes,
  ) {}

  /** First phase: routes. What it returns applies the whole batch in one transaction. */
  readonly handle = async (messages: readonly IncomingMessage[]): Promise<(tx: Transaction) => Promise<void>> => {
    const inputs = messages.flatMap((message) => this.route(message))
    return inputs.length === 0 ? noEffect : async (tx) => void (await this.engine.apply(inputs, tx))
  }

  route(message: IncomingMessage): readonly SagaInput[] {
    if (message.type === CommandAnswered.type) return answerInput(message)
    const route = Object.hasOwn(this.routes, message.type) ? this.routes[message.type] : undefined
    return route?.(message) ?? []
  }
}

/** One message may speak to several sagas, and one saga's input must have one id. */
export const inputId = (message: IncomingMessage, sagaId: string): string => `${message.id}>${sagaId}`

export const contextOf = (message: IncomingMessage): MessageContext => ({ ...message.context, causationId: message.id })

const answerInput: Route = (message) => {
  const { replyTo, commandId, outcome, slug, detail, result } = CommandAnswered.parse(message.data)
  // Answers to other senders of commands pass here too.
  if (parseActionKey(commandId)?.sagaId !== replyTo) return []
  const known: ActivityOutcome =
    outcome === 'accepted'
      ? { outcome: 'succeeded', result: result ?? {} }
      : { outcome: 'refused', slug: slug ?? 'refused', detail: detail ?? '', ...(result ? { result } : {}) }
  return [{ kind: 'outcome', id: inputId(message, replyTo), sagaId: replyTo, context: contextOf(message), key: commandId, outcome: known }]
}
