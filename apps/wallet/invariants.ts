import { pgEvents, typesByCategory, type AnyStreamType } from '#event-store'
import { systemClock } from '#kernel'
import { eventStoreHolds, type Invariant } from '#service'
import { ACCOUNTS } from '#wallet'
import { pgFoldedBooks } from './books/pg-folded-books.js'
import { TrialBalances } from './books/trial-balances.js'
import { streamTypes } from './streams.js'

const types = typesByCategory(streamTypes as readonly object[] as readonly AnyStreamType[])

export const invariants: readonly Invariant[] = [
  eventStoreHolds,
  {
    name: 'books-balance',
    holds: 'debits equal credits over all accounts and all events',
    async violations(pool) {
      const { books } = await new TrialBalances(pgEvents(pool, types, systemClock), pgFoldedBooks(pool), systemClock).now()
      const difference = ACCOUNTS.reduce((sum, account) => sum + books[account].debits - books[account].credits, 0n)
      return difference === 0n ? [] : [`${difference} paise`]
    },
  },
]
