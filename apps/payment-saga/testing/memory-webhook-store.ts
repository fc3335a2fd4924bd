import { asMemory } from '#kernel/testing'
import type { Webhook, WebhookStore } from '../webhooks/webhook-store.js'

/** Webhooks in memory, for tests and the simulator. */
export const memoryWebhookStore = (): WebhookStore => {
  const kept = new Map<string, Webhook & { done: boolean; attempts: number }>()
  const at = ({ provider, eventId }: Pick<Webhook, 'provider' | 'eventId'>) => `${provider} ${eventId}`
  return {
    async keep(webhook) {
      if (kept.has(at(webhook))) return false
      kept.set(at(webhook), { ...webhook, done: false, attempts: 0 })
      return true
    },
    async pending(limit, attempts) {
      const waiting = [...kept.values()].filter((webhook) => !webhook.done && webhook.attempts < attempts)
      return waiting.slice(0, limit).map(({ provider, eventId, body }) => ({ provider, eventId, body }))
    },
    async done(webhooks, _, tx) {
      asMemory(tx).onCommit(() => {
        for (const webhook of webhooks) {
          const found = kept.get(at(webhook))
          if (found) found.done = true
        }
      })
    },
    async failed(webhook) {
      const found = kept.get(at(webhook))
      if (found) found.attempts++
    },
  }
}
