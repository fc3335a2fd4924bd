import type { JsonObject } from '#kernel'

/** An event as it was kept. */
export interface WebhookEvent {
  /** The same event, however often it is sent. */
  readonly eventId: string
  /** The key that the payment was asked for with, which names the saga, and what is said of it in the words of an activity's result. */
  readonly told?: { readonly key: string; readonly books: JsonObject }
  /** Why nothing of it is believed though it is signed, in words of ours: another currency, a shape that nobody documented. */
  readonly unread?: string
}

/** How a provider signs its webhooks, and what they say. */
export interface ProviderWebhooks {
  /** The header, in lower case. */
  readonly signatureHeader: string
  /** Whether it signs these very bytes; `now` in milliseconds since the epoch. Compared in constant time. */
  isSigned(body: Uint8Array, signature: string | undefined, now: number): boolean
  /** Undefined: not an event of this provider's. Without `told` it is one that no saga need hear of. */
  read(text: string): WebhookEvent | undefined
}
