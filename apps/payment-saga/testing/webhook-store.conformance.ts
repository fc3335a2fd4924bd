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
      expect([await store.keep(webhook('a'), 1_000, 3), await store.keep(webhook('a'), 2_000, 3)]).toEqual([true, false])
      await store.keep(webhook('b'), 2_000, 3)
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
      await store.keep(webhook('a'), 1_000, 2)
      await store.failed(webhook('a'), 5_000)
      expect(await store.pending(10, 2, 4_999)).toEqual([])
      expect(await store.pending(10, 2, 5_000)).toEqual([{ ...webhook('a'), attempts: 1 }])
      expect(await store.counts(2)).toEqual({ waiting: 1, givenUp: 0 })
      await store.failed(webhook('a'), 6_000)
      expect(await store.pending(10, 2, 9_000)).toEqual([])
      expect(await store.counts(2)).toEqual({ waiting: 0, givenUp: 1 })
    })

    it('that were given up are tried anew when they are sent again; one that waits or was worked on is not', async () => {
      const { store, transactions } = await make()
      for (const id of ['given up', 'waits', 'worked on']) await store.keep(webhook(id), 1_000, 2)
      for (const id of ['given up', 'given up', 'waits', 'worked on', 'worked on']) await store.failed(webhook(id), 5_000)
      await transactions.run((tx) => store.done([webhook('worked on')], 6_000, tx))
      const again = []
      for (const id of ['given up', 'waits', 'worked on']) again.push(await store.keep({ ...webhook(id), body: '{ }' }, 7_000, 2))
      expect([again, await store.counts(2)]).toEqual([[true, false, false], { waiting: 2, givenUp: 0 }])
      expect(await store.pending(10, 2, 7_000)).toEqual([
        { ...webhook('waits'), attempts: 1 },
        { ...webhook('given up'), body: '{ }', attempts: 0 },
      ])
      // And kept as long as one that is new.
      expect(await store.purge(7_000, 10)).toBe(2)
      expect(idsOf(await store.pending(10, 2, 7_000))).toEqual(['given up'])
    })

    it('are deleted some time after they were worked on or given up, so many at once', async () => {
      const { store, transactions } = await make()
      for (const id of ['a', 'b', 'c']) await store.keep(webhook(id), 1_000, 3)
      await store.keep(webhook('d'), 3_000, 3)
      await store.keep(webhook('e'), 1_000, 3)
      await transactions.run((tx) => store.done(['a', 'b'].map(webhook), 2_000, tx))
      await transactions.run((tx) => store.done([webhook('c')], 3_000, tx))
      expect([await store.purge(3_000, 1), await store.purge(3_000, 10), await store.purge(3_000, 10)]).toEqual([1, 2, 0])
      // Neither the one of later nor the one that waits.
      const again = []
      for (const id of ['a', 'c', 'd', 'e']) again.push(await store.keep(webhook(id), 9_000, 3))
      expect(again).toEqual([true, false, false, true])
    })
  })
}
