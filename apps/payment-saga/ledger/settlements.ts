import { paise, type Paise } from '#kernel'
import { beginningOf, daysAfter } from '#payment'
import type pg from 'pg'
import type { Account, Posting } from './postings.js'

/** Paise by account, debits above zero. */
export type Balances = Readonly<Partial<Record<Account, Paise>>>

/** What one day's postings come to. */
export interface DayTotals {
  readonly postings: Readonly<Record<Posting['kind'], number>>
  readonly balances: Balances
}

export interface PostingRow {
  readonly journal: string
  readonly kind: Posting['kind']
  readonly paymentId: string
  readonly orderId: string
  readonly at: number
  readonly balances: Balances
}

/** A place in a day's list: behind what happened then, of this journal. */
export interface Place {
  readonly at: number
  readonly journal: string
}

interface TotalRow {
  account: Account
  kind: Posting['kind']
  amount: bigint
  postings: number
}

interface ListedRow {
  journal: string
  kind: Posting['kind']
  payment_id: string
  order_id: string
  at: Date
  entries: { account: Account; amount: string }[]
}

/** The books by days of India's calendar, read. */
export class Settlements {
  constructor(private readonly pool: pg.Pool) {}

  async totals(date: string): Promise<DayTotals> {
    const { rows } = await this.pool.query<TotalRow>({
      name: 'settlement-totals',
      text: `SELECT account, kind, sum(amount)::bigint AS amount, count(DISTINCT journal)::int AS postings FROM ledger_entries
             WHERE at >= $1 AND at < $2 GROUP BY account, kind`,
      values: day(date),
    })
    const postings = { capture: 0, refund: 0, turnaround: 0 }
    const balances: Partial<Record<Account, Paise>> = {}
    for (const { account, kind, amount, postings: count } of rows) {
      postings[kind] = Math.max(postings[kind], count)
      balances[account] = paise((balances[account] ?? 0n) + amount)
    }
    return { postings, balances }
  }

  /** Of captures and refunds, which are the merchant's; in the order in which they happened. */
  async list(date: string, after: Place | undefined, limit: number): Promise<readonly PostingRow[]> {
    const [from, to] = day(date)
    const { rows } = await this.pool.query<ListedRow>({
      name: 'settlement-list',
      text: `SELECT journal, kind, payment_id, order_id, at, json_agg(json_build_object('account', account, 'amount', amount::text)) AS entries
             FROM ledger_entries WHERE at >= $1 AND at < $2 AND kind <> 'turnaround' AND (at, journal) > ($3, $4)
             GROUP BY at, journal, kind, payment_id, order_id ORDER BY at, journal LIMIT $5`,
      values: [from, to, after ? new Date(after.at) : '-infinity', after?.journal ?? '', limit],
    })
    return rows.map(({ journal, kind, payment_id, order_id, at, entries }) => ({
      journal,
      kind,
      paymentId: payment_id,
      orderId: order_id,
      at: at.getTime(),
      balances: Object.fromEntries(entries.map(({ account, amount }) => [account, paise(amount)])),
    }))
  }
}

const day = (date: string): [Date, Date] => [new Date(beginningOf(date)), new Date(beginningOf(daysAfter(date, 1)))]
