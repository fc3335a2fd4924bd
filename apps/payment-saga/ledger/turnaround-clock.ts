import { paise, type Clock, type Transactions } from '#kernel'
import { daysLate, beginningOf, daysAfter } from '#payment'
import { asPg } from '#postgres'
import type pg from 'pg'
import { post } from './ledger.js'
import { delayPosting, type Posting } from './postings.js'

const BATCH = 100
/** A day's delay is posted within a minute of its beginning. */
const POLL_MS = 60_000

const DUE = `
SELECT payment_id, order_id, due_date::text, compensation, settled_at, next_at FROM turnarounds
WHERE next_at <= $1 ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED`

const MOVE = `
UPDATE turnarounds t SET next_at = m.next_at FROM unnest($1::uuid[], $2::timestamptz[]) AS m (payment_id, next_at)
WHERE t.payment_id = m.payment_id`

interface DueRow {
  payment_id: string
  order_id: string
  due_date: string
  compensation: bigint
  settled_at: Date | null
  next_at: Date
}

export interface TurnaroundClockPorts {
  readonly pool: pg.Pool
  readonly transactions: Transactions
  readonly clock: Clock
  onError?(error: unknown): void
}

/**
 * Posts, for each day that a reversal is late, what the customer is owed (RBI, 2019-09-20): once, from rows, whichever process is up. What
 * came back late is owed up to the day on which it did.
 */
export class TurnaroundClock {
  readonly #end = new AbortController()
  #loop: Promise<void> | undefined

  constructor(private readonly ports: TurnaroundClockPorts) {}

  start(): void {
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#end.abort(new Error('stopped'))
    await this.#loop
  }

  /** How many reversals are awaited, and how many of them are late. */
  async counts(): Promise<{ readonly awaited: number; readonly late: number }> {
    const { rows } = await this.ports.pool.query<{ awaited: number; late: number }>(
      `SELECT count(*)::int AS awaited, count(*) FILTER (WHERE due_date < ($1::timestamptz AT TIME ZONE 'Asia/Kolkata')::date)::int AS late
       FROM turnarounds WHERE next_at IS NOT NULL AND settled_at IS NULL`,
      [new Date(this.ports.clock.now())],
    )
    return rows[0] ?? { awaited: 0, late: 0 }
  }

  /** Posts what is due now, at most a hundred payments of it. Answers how many payments it looked at. */
  sweep(): Promise<number> {
    const { transactions, clock } = this.ports
    const now = clock.now()
    return transactions.run(async (transaction) => {
      const tx = asPg(transaction)
      const { rows } = await tx.query<DueRow>({ name: 'turnaround-due', text: DUE, values: [new Date(now), BATCH] })
      if (rows.length === 0) return 0
      post(
        tx,
        rows.flatMap((row) => postingsUntil(row, now)),
      )
      const next = rows.map((row) => nextAt(row, now))
      tx.send({ name: 'turnaround-move', text: MOVE, values: [rows.map(({ payment_id }) => payment_id), next] })
      return rows.length
    })
  }

  async #run(): Promise<void> {
    const { clock, onError } = this.ports
    const { signal } = this.#end
    while (!signal.aborted) {
      const more = await this.sweep().catch((error: unknown) => (onError?.(error), 0))
      if (more < BATCH) await clock.sleep(POLL_MS, signal).catch(() => undefined)
    }
  }
}

const lateUntil = ({ due_date, settled_at }: DueRow, now: number): number =>
  daysLate({ dueDate: due_date, lateAt: beginningOf(daysAfter(due_date, 1)) }, Math.min(settled_at?.getTime() ?? now, now))

const postingsUntil = (row: DueRow, now: number): readonly Posting[] => {
  const posted = daysLate({ dueDate: row.due_date, lateAt: beginningOf(daysAfter(row.due_date, 1)) }, row.next_at.getTime()) - 1
  const days = Math.max(lateUntil(row, now) - posted, 0)
  return Array.from({ length: days }, (_, nth) => {
    const day = posted + 1 + nth
    const about = { paymentId: row.payment_id, orderId: row.order_id, at: beginningOf(daysAfter(row.due_date, day)) }
    return delayPosting(about, day, paise(row.compensation))
  })
}

/** The beginning of the next day of delay; none of one that came back. */
const nextAt = (row: DueRow, now: number): string | null =>
  row.settled_at ? null : new Date(beginningOf(daysAfter(row.due_date, lateUntil(row, now) + 1))).toISOString()
