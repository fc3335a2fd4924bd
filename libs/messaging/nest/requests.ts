import type { IncomingMessage, Json, JsonObject } from '#kernel'
import { encodeMessage } from '../cloud-events.js'
import type { LogRecord } from '../log.js'

/** What answers a request: one per value, the last with `isDisposed`. */
export interface ReplyData extends JsonObject {
  readonly requestId: string
  readonly response?: Json
  readonly err?: Json
  readonly isDisposed?: boolean
}

/** `undefined` for a message that nobody waits for. */
export const replyRecord = (request: IncomingMessage, source: string, data: ReplyData, time_ms: number): LogRecord | undefined => {
  const slash = request.replyTo?.lastIndexOf('/') ?? -1
  if (!request.replyTo || slash < 1) return undefined
  const [topic, key] = [request.replyTo.slice(0, slash), request.replyTo.slice(slash + 1)]
  const context = { ...request.context, causationId: request.id }
  const message = { topic, key, type: 'Reply', schemaVersion: 1, id: `${request.id}#reply`, data, context }
  return encodeMessage(message, source, time_ms, NOWHERE)
}

/** Sent directly, not by a relay. */
export const NOWHERE = { incarnation: '', position: 0n, ordinal: 0 } as const

/** What crosses is JSON; an error of JavaScript shows nothing of itself in it. */
export const toJson = (value: unknown): Json => {
  if (value instanceof Error) return { status: 'error', message: value.message }
  const text = JSON.stringify(value)
  return text === undefined ? null : (JSON.parse(text) as Json)
}
