import { describe, expect, it } from '@jest/globals'
import { paise } from '#kernel'
import { NO_BOOKS } from '#wallet'
import type { Folded, FoldedBooks } from '../trial-balances.js'

/** What every implementation of the port must do. `make` gives an empty one. */
export const foldedBooksConformance = (name: string, make: () => Promise<FoldedBooks>): void => {
  const at = (position: bigint): Folded => ({
    position,
    countedEvents: Number(position) * 2,
    books: { ...NO_BOOKS, escrow: { debits: paise(position * 10n ** 20n), credits: paise(position) } },
  })

  describe(`folded books: ${name}`, () => {
    it('gives back what was kept, to the last digit', async () => {
      const books = await make()
      expect(await books.read()).toBeUndefined()
      await books.keep(at(3n))
      expect(await books.read()).toEqual(at(3n))
    })

    it('never goes back, whoever keeps at once', async () => {
      const books = await make()
      await Promise.all([5n, 2n, 9n, 7n, 1n].map((position) => books.keep(at(position))))
      expect(await books.read()).toEqual(at(9n))
      await books.keep(at(8n))
      expect(await books.read()).toEqual(at(9n))
    })
  })
}
