import { pgEvents } from '#event-store'
import { formatRupees, systemClock } from '#kernel'
import { Problem } from '#platform'
import { ACCOUNTS, balanceOf } from '#wallet'
import type { Command } from 'commander'
import { pgFoldedBooks } from '../../../wallet/books/pg-folded-books.js'
import { TrialBalances, type Folded } from '../../../wallet/books/trial-balances.js'
import { trialBalanceView } from '../../../wallet/view.js'
import type { Io } from '../io.js'
import { atStore, withPlace, type PlaceOptions } from '../place.js'

type Options = PlaceOptions & { readonly json?: true }

/** `bahi wallet …`: what the wallets' books say. */
export const register = (program: Command, io: Io): void => {
  const wallet = program.command('wallet').description("the wallets' books")
  withPlace(wallet.command('trial-balance').description("every account's sum; exit 1 where the whole is not zero"), io)
    .option('--json', 'JSON, one object')
    .action((options: Options) => trialBalance(io, options))
}

const trialBalance = (io: Io, { json, ...place }: Options) =>
  atStore(place, async ({ pool, types }) => {
    const folded = await counted(new TrialBalances(pgEvents(pool, types, systemClock), pgFoldedBooks(pool), systemClock), io)
    const total = ACCOUNTS.reduce((sum, account) => sum + balanceOf(folded.books[account]), 0n)
    if (total !== 0n) io.exitCode = 1
    if (json) return io.out(JSON.stringify(trialBalanceView(folded)))
    const row = (name: string, ...columns: readonly string[]) => io.out(name.padEnd(18) + columns.map((each) => each.padStart(22)).join(''))
    await row('account', 'debits', 'credits', 'balance')
    for (const account of ACCOUNTS) {
      const sums = folded.books[account]
      await row(account, ...[sums.debits, sums.credits, balanceOf(sums)].map((amount) => formatRupees(amount)))
    }
    return row(`${folded.countedEvents} events`, '', '', total === 0n ? 'in balance' : 'NOT IN BALANCE')
  })

/** A call counts for two seconds and keeps how far it came; here there is time to go on. */
const counted = async (balances: TrialBalances, io: Io): Promise<Folded> => {
  while (!io.signal.aborted) {
    try {
      return await balances.now()
    } catch (error) {
      if (!(error instanceof Problem && error.slug === 'still-folding')) throw error
    }
  }
  throw io.signal.reason
}
