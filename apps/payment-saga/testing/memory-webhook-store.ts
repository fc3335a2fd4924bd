import { asMemory } from '#kernel/testing'
import type { WaitingWebhook, Webhook, WebhookStore } from '../webhooks/webhook-store.js'

/** Webhooks in memory, for tests and the simulator. */
export const memoryWebhookStore = (): WebhookStore => {
  const kept = new Map<string, WaitingWebhook & { receivedAt: number; processedAt?: number; attempts: number; nextAttemptAt: number }>()
  const at = ({ provider, eventId }: Pick<Webhook, 'provider' | 'eventId'>) => `${provider} ${eventId}`
  const unworked = () => [...kept.values()].filter(({ processedAt }) => processedAt === undefined)
  return {
    async keep(webhook, now, mostAttempts) {
      const known = kept.get(at(webhook))
      if (known && (known.processedAt !== undefined || known.attempts < mostAttempts)) return false
      kept.set(at(webhook), { ...webhook, attempts: 0, receivedAt: now, nextAttemptAt: now })
      return true
    },
    async pending(limit, mostAttempts, now) {
      const due = unworked().filter(({ attempts, nextAttemptAt }) => attempts < mostAttempts && nextAttemptAt <= now)
      const sorted = due.sort((one, other) => one.nextAttemptAt - other.nextAttemptAt)
      return sorted.slice(0, limit).map(({ provider, eventId, body, attempts }) => ({ provider, eventId, body, attempts }))
    },
    async done(webhooks, now, tx) {
      asMemory(tx).onCommit(() => {
        for (const webhook of webhooks) {
          const found = kept.get(at(webhook))
          if (found) found.processedAt = now
        }
      })
    },
    async failed(webhook, nextAttemptAt) {
      const found = kept.get(at(webhook))
      if (found) Object.assign(found, { attempts: found.attempts + 1, nextAttemptAt })
    },
    async purge(before, limit) {
      const old = [...kept].filter(([, { receivedAt, processedAt = receivedAt }]) => processedAt < before).slice(0, limit)
      for (const [key] of old) kept.delete(key)
      return old.length
    },
    async counts(mostAttempts) {
      const givenUp = unworked().filter(({ attempts }) => attempts >= mostAttempts).length
      return { waiting: unworked().length - givenUp, givenUp }
    },
  }
}
