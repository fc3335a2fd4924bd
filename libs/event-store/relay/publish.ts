import type { MessageContext, OutboxEntry, OutgoingMessage } from '#kernel'
import type { Publisher, RecordedEvent } from '../store.js'

/** The app's publisher failed on a recorded event. The relay stands there until it is mended: to pass over it would lose a message. */
export class PublishFailed extends Error {
  constructor(
    readonly position: bigint,
    readonly eventType: string,
    cause: unknown,
  ) {
    super(`the publisher failed on ${eventType} at position ${position}`, { cause })
  }
}

export interface StoredMessage {
  readonly position: bigint
  readonly time: number
  readonly message: OutgoingMessage
}

/**
 * Events, through the publisher, and messages, already as they go out, merged by position; at most `limit` positions.
 * Both come in order. Where the publisher fails, what comes before goes out first; then the failure is thrown.
 */
export const mergeEntries = (
  events: readonly RecordedEvent[],
  messages: readonly StoredMessage[],
  publish: Publisher,
  limit: number,
): readonly OutboxEntry[] => {
  const entries: OutboxEntry[] = []
  let nextEvent = 0
  let nextMessage = 0
  while (entries.length < limit) {
    const event = events[nextEvent]
    const message = messages[nextMessage]
    if (event && (!message || event.position < message.position)) {
      try {
        entries.push({ position: event.position, time: event.recordedAt, messages: checked(publish(event)) })
      } catch (error) {
        if (entries.length > 0) return entries
        throw new PublishFailed(event.position, event.type, error)
      }
      nextEvent++
    } else if (message) {
      const together: OutgoingMessage[] = []
      for (let each = messages[nextMessage]; each?.position === message.position; each = messages[++nextMessage])
        together.push(each.message)
      entries.push({ position: message.position, time: message.time, messages: together })
    } else break
  }
  return entries
}

const checked = (messages: readonly OutgoingMessage[]): readonly OutgoingMessage[] => {
  for (const { topic, key, type, schemaVersion } of messages)
    if (!topic || !key || !type || !Number.isInteger(schemaVersion))
      throw new TypeError('a message has a topic, a key, a type and a version')
  return messages
}

/** A context as it was stored. */
export const parseContext = (json: unknown): MessageContext => {
  const { correlationId, causationId, traceparent } = json as Partial<Record<keyof MessageContext, unknown>>
  if (typeof correlationId !== 'string' || typeof causationId !== 'string') throw new TypeError('a stored message context is incomplete')
  return { correlationId, causationId, ...(typeof traceparent === 'string' ? { traceparent } : {}) }
}
