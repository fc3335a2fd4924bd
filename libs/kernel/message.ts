/** JSON as it travels. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }
export type JsonObject = { readonly [name: string]: Json }

/** Of parsed JSON: an object, and neither an array nor null. */
export const isJsonObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * A message on its way out, before the relay gives it a place. It becomes a CloudEvents 1.0 message in binary mode:
 * `type` is `ce_type`, `id` is `ce_id`, `subject` defaults to `key`.
 */
export interface OutgoingMessage {
  readonly topic: string
  /** The aggregate's id: order holds per key, and that is the only order promised. */
  readonly key: string
  /** `OrderPlaced`: the name of a contract of this topic. */
  readonly type: string
  readonly schemaVersion: number
  readonly data: JsonObject
  /** Given by the sender where a repeat must be recognised (commands); else the relay makes `<incarnation>/<position>/<ordinal>`. */
  readonly id?: string
  readonly context: MessageContext
}

/** Where a message or an event comes from; carried along a whole business transaction. */
export interface MessageContext {
  /** The business transaction: the order's id, a transfer's id. */
  readonly correlationId: string
  /** The id of the message or HTTP command that led to this one. */
  readonly causationId: string
  /** W3C trace context. */
  readonly traceparent?: string
}

/** A message as a consumer sees it. */
export interface IncomingMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  /** The app that published it. */
  readonly source: string
  /**
   * Where in its publisher's store it comes from. Per partition and source these only grow, so what is not above the last one seen is a
   * repeat of the relay's; another incarnation is a store that was restored.
   */
  readonly origin: { readonly incarnation: string; readonly position: bigint; readonly ordinal: number }
  /** When its event was recorded, milliseconds since the epoch. */
  readonly time: number
  /** Where an answer is waited for, `<topic>/<key>`: of a request only. */
  readonly replyTo?: string
  readonly data: JsonObject
  readonly context: MessageContext
}
