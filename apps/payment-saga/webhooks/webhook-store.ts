import type { Transaction } from '#kernel'

/** A webhook as it came. */
export interface Webhook {
  readonly provider: string
  /** The provider's id of the event: the same event, however often it is sent. */
  readonly eventId: string
  /** The raw body, as it was signed. */
  readonly body: string
}

/** One that waits, with how often working on it has failed. */
export interface WaitingWebhook extends Pick<Webhook, 'provider' | 'eventId'> {
  /** Undefined: it cannot be opened any more. */
  readonly body: string | undefined
  readonly attempts: number
}

/**
 * Times in milliseconds since the epoch. A body may hold what is personal of a payer (an address of UPI, a number, a card's last digits): it is
 * kept sealed, and only until it was worked on. What stays is that the event came.
 */
export interface WebhookStore {
  /** Keeps it, one that failed `mostAttempts` times as if it were new; false: it was kept before, and is tried again or was worked on. */
  keep(webhook: Webhook, now: number, mostAttempts: number): Promise<boolean>
  /** Webhooks that are due and were not worked on yet, the longest due first; not those that failed `mostAttempts` times. */
  pending(limit: number, mostAttempts: number, now: number): Promise<readonly WaitingWebhook[]>
  done(webhooks: readonly Pick<Webhook, 'provider' | 'eventId'>[], now: number, tx: Transaction): Promise<void>
  /** Counts an attempt; it is due again at `nextAttemptAt`. */
  failed(webhook: Pick<Webhook, 'provider' | 'eventId'>, nextAttemptAt: number): Promise<void>
  /** Deletes those worked on before `before`, and those that came before it and were given up, at most `limit`. Answers how many. */
  purge(before: number, limit: number): Promise<number>
  /** Those not worked on: `waiting` are tried again, `givenUp` failed `mostAttempts` times. */
  counts(mostAttempts: number): Promise<{ readonly waiting: number; readonly givenUp: number }>
}
