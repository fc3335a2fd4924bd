import type { Clock, Transactions } from '#kernel'
import { isTransient } from '#messaging'
import { parseActionKey, type SagaEngine, type SagaInput } from '#saga'
import { createHash } from 'node:crypto'
import type { ProviderWebhooks } from './provider-webhooks.js'
import type { WaitingWebhook, WebhookStore } from './webhook-store.js'

export interface WebhookInboxPorts {
  readonly store: WebhookStore
  readonly engine: Pick<SagaEngine, 'apply'>
  readonly transactions: Transactions
  readonly clock: Clock
  /** Those that webhooks are taken of, by the name in their address. */
  readonly providers: Readonly<Record<string, ProviderWebhooks>>
  readonly onError?: (error: unknown) => void
}

const BATCH = 100
/** Some nine hours. Then it is left to be looked at, and tried anew when it is sent again; the status query settles the payment all the same. */
const MOST_ATTEMPTS = 20
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60 * 60_000
const POLL_MS = 5_000
/** How long it is kept that one came, to know it again: providers repeat theirs for days. One that was given up is kept as long, to be looked at. */
export const WEBHOOK_RETENTION_MS = 30 * 24 * 60 * 60_000
const PURGE_EVERY_MS = 60_000
const PURGE_BATCH = 1_000

/**
 * Webhooks of payment providers: checked, kept as they came, answered, and only then worked on. They may come in any order, any number of
 * times, and before the answer of the call that caused them.
 */
export class WebhookInbox {
  #stopped = false
  #rung = false
  #wake = new AbortController()
  #loop: Promise<void> | undefined
  #purgeAt = 0
  #unread = 0

  constructor(private readonly ports: WebhookInboxPorts) {}

  /**
   * `kept`: it will be worked on. `unread`: it is signed and of no use to us; it is thanked for, for a provider that is refused long enough sends
   * nothing any more. Nothing is read of an event whose signature does not hold.
   */
  async receive(
    provider: string,
    body: Uint8Array,
    header: (name: string) => string | undefined,
  ): Promise<'kept' | 'unread' | 'unknown-provider' | 'unsigned' | 'malformed'> {
    const { clock, store } = this.ports
    const webhooks = this.#of(provider)
    if (!webhooks) return 'unknown-provider'
    if (!webhooks.isSigned(body, header(webhooks.signatureHeader), clock.now())) return 'unsigned'
    const text = new TextDecoder().decode(body)
    const event = webhooks.read(text)
    if (!event) return 'malformed'
    if (event.unread !== undefined) {
      this.#unread++
      this.ports.onError?.(new Error(`a webhook of ${provider} without effect: ${event.unread}`))
      return 'unread'
    }
    await store.keep({ provider, eventId: event.eventId, body: text }, clock.now(), MOST_ATTEMPTS)
    this.#ring()
    return 'kept'
  }

  /** Works on what is kept and waits, one batch in one transaction. Answers how many there were. */
  async workDue(): Promise<number> {
    const webhooks = await this.ports.store.pending(BATCH, MOST_ATTEMPTS, this.ports.clock.now())
    if (webhooks.length > 0) await this.#work(webhooks)
    return webhooks.length
  }

  /** Deletes what was worked on long ago, one batch, not more often than once a minute. */
  async purge(): Promise<void> {
    const { store, clock } = this.ports
    if (clock.now() < this.#purgeAt) return
    this.#purgeAt = clock.now() + PURGE_EVERY_MS
    await store.purge(clock.now() - WEBHOOK_RETENTION_MS, PURGE_BATCH)
  }

  /** Those that wait to be worked on, and those that are not tried any more. */
  counts(): Promise<{ readonly waiting: number; readonly givenUp: number }> {
    return this.ports.store.counts(MOST_ATTEMPTS)
  }

  /** Signed events since the start of this process that had no effect, for what they say cannot be. */
  get unread(): number {
    return this.#unread
  }

  start(): void {
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#ring()
    await this.#loop
  }

  async #work(webhooks: readonly WaitingWebhook[]): Promise<void> {
    const { engine, store, transactions, clock } = this.ports
    try {
      const inputs = webhooks.flatMap((webhook) => inputOf(webhook, this.#of(webhook.provider)))
      await transactions.run(async (tx) => {
        await store.done(webhooks, clock.now(), tx)
        if (inputs.length > 0) await engine.apply(inputs, tx)
      })
    } catch (error) {
      // The database is away: nothing is wrong with any of them.
      if (isTransient(error)) throw error
      const [only, ...others] = webhooks
      if (only === undefined) return
      if (others.length > 0) {
        for (const webhook of webhooks) await this.#work([webhook])
        return
      }
      this.ports.onError?.(error)
      await store.failed(only, clock.now() + retryAfter_ms(only))
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#rung = false
      try {
        if ((await this.workDue()) === BATCH) continue
        await this.purge()
      } catch (error) {
        this.ports.onError?.(error)
      }
      if (this.#rung && !this.#stopped) continue
      this.#wake = new AbortController()
      if (!this.#stopped) await this.ports.clock.sleep(POLL_MS, this.#wake.signal).catch(() => undefined)
    }
  }

  #of(provider: string): ProviderWebhooks | undefined {
    const { providers } = this.ports
    return Object.hasOwn(providers, provider) ? providers[provider] : undefined
  }

  #ring(): void {
    this.#rung = true
    this.#wake.abort(new Error('rung'))
  }
}

/** Doubled each time, and spread over half to all of it: drawn from the event, so that it is the same when it is asked again. */
const retryAfter_ms = ({ provider, eventId, attempts }: WaitingWebhook): number => {
  const most_ms = Math.min(FIRST_RETRY_MS * 2 ** attempts, LAST_RETRY_MS)
  const draw = createHash('sha256').update(`${provider} ${eventId} ${attempts}`).digest().readUInt16BE(0) / 0x1_0000
  return Math.round(most_ms * (0.5 + draw / 2))
}

/** None of a payment that no saga of ours asked for: another system of the merchant's did. */
const inputOf = ({ provider, eventId, body }: WaitingWebhook, webhooks: ProviderWebhooks | undefined): readonly SagaInput[] => {
  if (body === undefined) throw new Error('a webhook that no master key opens')
  const told = webhooks?.read(body)?.told
  const key = told && parseActionKey(told.key)
  if (!told || !key) return []
  const id = `webhook ${provider} ${eventId}`
  const context = { correlationId: key.sagaId, causationId: id }
  return [{ kind: 'message', id, sagaId: key.sagaId, context, name: 'provider-payment', body: told.books }]
}
