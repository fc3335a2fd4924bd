import { newestEvents, pgEvents, typesByCategory, type AnyStreamType } from '#event-store'
import { systemClock } from '#kernel'
import { eventStoreHolds, MOST_VIOLATIONS, type Invariant } from '#service'
import { ACCOUNTS, follows } from '#wallet'
import { pgFoldedBooks } from './books/pg-folded-books.js'
import { TrialBalances } from './books/trial-balances.js'
import { streamTypes, walletEvent, walletIdOf } from './streams.js'

const types = typesByCategory(streamTypes as readonly object[] as readonly AnyStreamType[])

const NEWEST_EVENTS = 2_000

/**
 * Decisions begin with snapshots and cached states, which no hash covers: where one was changed, what was decided on it does not follow from the
 * event before. An event that is missing is for `hash-chains` to say.
 */
const balancesFollow: Invariant = {
  name: 'balances-follow',
  holds: `a wallet's balance and held money after each event are those before it and its own amounts, in the newest ${NEWEST_EVENTS} events`,
  async violations(pool) {
    const wrong = new Set<string>()
    for (const { before, ...event } of await newestEvents(pool, types, NEWEST_EVENTS)) {
      if (walletIdOf(event) === undefined || (event.version > 1 && !before)) continue
      if (!follows(walletEvent(event), before && walletEvent(before))) wrong.add(event.stream)
    }
    return [...wrong].slice(0, MOST_VIOLATIONS)
  },
}

export const invariants: readonly Invariant[] = [
  eventStoreHolds,
  balancesFollow,
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
