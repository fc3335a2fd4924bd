import type { Migration } from '#postgres'
import { ACCOUNTS, NO_BOOKS, type AccountName, type AccountSums, type Books } from '#wallet'
import { paise } from '#kernel'
import type pg from 'pg'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import type { FoldedBooks } from './trial-balances.js'

class CreateFoldedBooks1764000000110 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Columns of accounts are numeric: they only grow, and all wallets' turnover together may outgrow a bigint.
    await runner.query(`CREATE TABLE folded_books (
      account text COLLATE "C" PRIMARY KEY,
      debits numeric NOT NULL,
      credits numeric NOT NULL,
      position bigint NOT NULL,
      counted_events bigint NOT NULL
    )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE folded_books')
  }
}

export const foldedBooksMigrations: readonly Migration[] = [CreateFoldedBooks1764000000110]

interface Row extends pg.QueryResultRow {
  readonly account: string
  readonly debits: string
  readonly credits: string
  readonly position: bigint
  readonly counted_events: bigint
}

// All rows change together, by whoever came furthest: they are locked in one order, so two at once do not deadlock.
const KEEP = `
INSERT INTO folded_books AS kept (account, debits, credits, position, counted_events)
SELECT account, debits, credits, $4, $5 FROM unnest($1::text[], $2::numeric[], $3::numeric[]) AS folded (account, debits, credits)
ORDER BY account
ON CONFLICT (account) DO UPDATE
SET debits = excluded.debits, credits = excluded.credits, position = excluded.position, counted_events = excluded.counted_events
WHERE kept.position < excluded.position`

export const pgFoldedBooks = (pool: pg.Pool): FoldedBooks => ({
  async read() {
    const { rows } = await pool.query<Row>('SELECT account, debits, credits, position, counted_events FROM folded_books')
    const [first] = rows
    if (!first) return undefined
    const sums = new Map(rows.map(({ account, debits, credits }) => [account, { debits: paise(debits), credits: paise(credits) }]))
    return { position: first.position, countedEvents: Number(first.counted_events), books: booksOf(sums) }
  },

  async keep({ position, countedEvents, books }) {
    await pool.query({
      name: 'keep-folded-books',
      text: KEEP,
      values: [
        ACCOUNTS,
        ACCOUNTS.map((account) => books[account].debits.toString()),
        ACCOUNTS.map((account) => books[account].credits.toString()),
        position,
        countedEvents,
      ],
    })
  },
})

const booksOf = (sums: ReadonlyMap<string, AccountSums>): Books =>
  ACCOUNTS.reduce<Books>((books, account: AccountName) => ({ ...books, [account]: sums.get(account) ?? books[account] }), NO_BOOKS)
