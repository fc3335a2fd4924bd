import { createHmac } from 'node:crypto'
import type { Clock, Random } from '#kernel'
import type pg from 'pg'

export interface WebhookSettings {
  readonly url: string
  readonly secret: string
}

/** A webhook is tried this often, and for this long, and then given up: the merchant asks for the status. */
const MOST_ATTEMPTS = 15
const GIVE_UP_AFTER_MS = 24 * 3_600_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 60_000
const ANSWER_TIMEOUT_MS = 5_000
/** Longer than an attempt can take: whoever died in the middle of one leaves it to be done again. */
const CLAIM_MS = 30_000
const AT_ONCE = 8

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`: the time is signed, so that an old one cannot be replayed as new. */
export const signatureOf = (secret: string, time_ms: number, body: string): string => {
  const t = Math.floor(time_ms / 1_000)
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`
}

interface Claimed {
  readonly event_id: string
  readonly body: string
  readonly attempts: number
  readonly created_at: bigint
  readonly copies: number
}

/** Delivers the webhooks that are due, each until it was answered 2xx as often as it has copies. */
export class Webhooks {
  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly settings: WebhookSettings,
  ) {}

  /** Tries what is due now, a few at once. Answers how many were tried. `signal` cuts attempts short; they are made again. */
  async deliverDue(signal?: AbortSignal): Promise<number> {
    const now = this.clock.now()
    const { rows } = await this.pool.query<Claimed>({ name: 'claim-webhooks', text: CLAIM, values: [now, AT_ONCE, now + CLAIM_MS] })
    await Promise.all(rows.map((webhook) => this.#deliver(webhook, signal)))
    return rows.length
  }

  async #deliver(webhook: Claimed, signal: AbortSignal | undefined): Promise<void> {
    const delivered = await this.#post(webhook.body, signal)
    const now = this.clock.now()
    const over = webhook.attempts >= MOST_ATTEMPTS || now - Number(webhook.created_at) > GIVE_UP_AFTER_MS
    const pause_ms = Math.min(FIRST_PAUSE_MS * 2 ** (webhook.attempts - 1), LONGEST_PAUSE_MS) * (0.5 + this.random.next())
    const again = !over && (!delivered || webhook.copies > 1)
    // Who claimed it since goes on with it.
    await this.pool.query({
      name: 'record-attempt',
      text: `UPDATE webhook SET next_attempt_at = $2, copies = copies - $3, delivered_at = coalesce(delivered_at, $4)
             WHERE event_id = $1 AND attempts = $5`,
      values: [webhook.event_id, again ? now + Math.ceil(pause_ms) : null, delivered ? 1 : 0, delivered ? now : null, webhook.attempts],
    })
  }

  async #post(body: string, signal: AbortSignal | undefined): Promise<boolean> {
    const late = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    try {
      const response = await fetch(this.settings.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-sandbox-signature': signatureOf(this.settings.secret, this.clock.now(), body),
        },
        body,
        redirect: 'manual',
        signal: signal ? AbortSignal.any([late, signal]) : late,
      })
      await response.body?.cancel()
      return response.ok
    } catch {
      // Not reachable, or too slow: it is tried again.
      return false
    }
  }
}

const CLAIM = `
  UPDATE webhook SET attempts = attempts + 1, next_attempt_at = $3
  WHERE event_id IN (
    SELECT event_id FROM webhook WHERE next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  RETURNING event_id, body, attempts, created_at, copies`
