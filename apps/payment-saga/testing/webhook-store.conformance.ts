import { describe, expect, it } from '@jest/globals'
import type { Transactions } from '#kernel'
import type { WebhookStore } from '../webhooks/webhook-store.js'

/** What every implementation of the port must do. `make` gives an empty one. */
export const webhookStoreConformance = (name: string, make: () => Promise<{ store: WebhookStore; transactions: Transactions }>): void => {
  const webhook = (eventId: string) => ({ provider: 'sandbox', eventId, body: '{}' })
  const idsOf = (webhooks: readonly { readonly eventId: string }[]) => webhooks.map(({ eventId }) => eventId)

  describe(`webhooks: ${name}`, () => {
    it('are kept once, given when they are due, and no more when they were worked on', async () => {
      const { store, transactions } = await make()
      expect([await store.keep(webhook('a'), 1_000), await store.keep(webhook('a'), 2_000)]).toEqual([true, false])
      await store.keep(webhook('b'), 2_000)
      expect(idsOf(await store.pending(10, 3, 999))).toEqual([])
      expect(await store.pending(10, 3, 2_000)).toEqual([
        { ...webhook('a'), attempts: 0 },
        { ...webhook('b'), attempts: 0 },
      ])
      expect(idsOf(await store.pending(1, 3, 2_000))).toEqual(['a'])
      await transactions.run((tx) => store.done([webhook('a')], 3_000, tx))
      expect(idsOf(await store.pending(10, 3, 9_000))).toEqual(['b'])
    })

    it('wait after a failure, and are given up after the last', async () => {
      const { store } = await make()
      await store.keep(webhook('a'), 1_000)
      await store.failed(webhook('a'), 5_000)
      expect(await store.pending(10, 2, 4_999)).toEqual([])
      expect(await store.pending(10, 2, 5_000)).toEqual([{ ...webhook('a'), attempts: 1 }])
      expect(await store.counts(2)).toEqual({ waiting: 1, givenUp: 0 })
      await store.failed(webhook('a'), 6_000)
      expect(await store.pending(10, 2, 9_000)).toEqual([])
      expect(await store.counts(2)).toEqual({ waiting: 0, givenUp: 1 })
    })

    it('are deleted some time after they were worked on or given up, so many at once', async () => {
      const { store, transactions } = await make()
      for (const id of ['a', 'b', 'c']) await store.keep(webhook(id), 1_000)
      await store.keep(webhook('d'), 3_000)
      await store.keep(webhook('e'), 1_000)
      await transactions.run((tx) => store.done(['a', 'b'].map(webhook), 2_000, tx))
      await transactions.run((tx) => store.done([webhook('c')], 3_000, tx))
      expect([await store.purge(3_000, 1), await store.purge(3_000, 10), await store.purge(3_000, 10)]).toEqual([1, 2, 0])
      // Neither the one of later nor the one that waits.
      const again = []
      for (const id of ['a', 'c', 'd', 'e']) again.push(await store.keep(webhook(id), 9_000))
      expect(again).toEqual([true, false, false, true])
    })
  })
}
