import { paise, type Clock, type Transactions } from '#kernel'
import { daysLate, beginningOf, daysAfter } from '#payment'
import { asPg } from '#postgres'
import type pg from 'pg'
import { post } from './ledger.js'
import { delayPosting, delayReversal, type Posting } from './postings.js'

const BATCH = 100
/** A day's delay is posted within a minute of its beginning. */
const POLL_MS = 60_000

/** Also what has come back since it was looked at last: it is looked at once more, and then never again. */
const DUE = `
SELECT payment_id, order_id, due_date::text, compensation, settled_at, next_at FROM turnarounds
WHERE next_at IS NOT NULL AND (next_at <= $1 OR settled_at <= $1) ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED`

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
 * came back late is owed up to the day on which it did: of days that were posted because nobody had heard of it yet, each is taken back.
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
  const { payment_id: paymentId, order_id: orderId, due_date, compensation, next_at } = row
  const posted = daysLate({ dueDate: due_date, lateAt: beginningOf(daysAfter(due_date, 1)) }, next_at.getTime()) - 1
  const late = lateUntil(row, now)
  const about = { paymentId, orderId }
  const amount = paise(compensation)
  return [
    ...daysFrom(posted, late).map((day) => delayPosting({ ...about, at: beginningOf(daysAfter(due_date, day)) }, day, amount)),
    // Of today: a day that was read does not change.
    ...daysFrom(late, posted).map((day) => delayReversal({ ...about, at: now }, day, amount)),
  ]
}

/** The days after the first up to the second; none where that is not later. */
const daysFrom = (first: number, last: number): readonly number[] =>
  Array.from({ length: Math.max(last - first, 0) }, (_, nth) => first + 1 + nth)

/** The beginning of the next day of delay; none of one that came back. */
const nextAt = (row: DueRow, now: number): string | null =>
  row.settled_at && row.settled_at.getTime() <= now
    ? null
    : new Date(beginningOf(daysAfter(row.due_date, lateUntil(row, now) + 1))).toISOString()
