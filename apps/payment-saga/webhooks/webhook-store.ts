import type { Transaction } from '#kernel'

/** A webhook as it came. */
export interface Webhook {
  readonly provider: string
  /** The provider's id of the event: the same event, however often it is sent. */
  readonly eventId: string
  /** The raw body, as it was signed. */
  readonly body: string
}

export interface WebhookStore {
  /** Keeps it; false: it was kept before. */
  keep(webhook: Webhook, now: number): Promise<boolean>
  /** Webhooks that were not worked on yet, the oldest first; not those that failed `attempts` times. */
  pending(limit: number, attempts: number): Promise<readonly Webhook[]>
  done(webhooks: readonly Pick<Webhook, 'provider' | 'eventId'>[], now: number, tx: Transaction): Promise<void>
  failed(webhook: Pick<Webhook, 'provider' | 'eventId'>): Promise<void>
}
