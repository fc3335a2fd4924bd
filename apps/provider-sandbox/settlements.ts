import { divideHalfUp, paise, ZERO, type Clock, type Ids, type Paise } from '#kernel'
import type { PgTransaction } from '#postgres'
import type pg from 'pg'
import type { Method } from './outcome.js'
import type { Change } from './payment.js'

/** Of what is captured: hundredths of a percent, and GST on it in percent. UPI to merchants is free of charge. */
const FEE_BASIS_POINTS: Readonly<Record<Method, bigint>> = { upi: 0n, card: 200n, netbanking: 150n }
const GST_PERCENT = 18n
/** Rows read at once: a file is written as it is read. */
const PAGE = 1_000
/** India has one time zone and no summer time. */
const IST = '+05:30'
const DAY_MS = 86_400_000
const HEADER = 'entry_id,type,payment_id,reference,amount,fee,tax,currency,at\n'

/** What the sandbox settles: each capture and refund is a line of the file of its day. */
export class Settlements {
  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  /** Writes down the money that changes moved, in their transaction. A fee is not given back with a refund. */
  async book(tx: PgTransaction, changes: readonly Change[]): Promise<void> {
    const moved = changes.flatMap(({ payment, event }) => {
      const kind = event?.type === 'payment.captured' ? 'payment' : event?.type === 'payment.refunded' ? 'refund' : undefined
      if (!event || !kind) return []
      const fee = kind === 'payment' ? feeOf(payment.method, event.amount) : ZERO
      return [{ paymentId: payment.paymentId, kind, amount: event.amount, fee }]
    })
    if (moved.length === 0) return
    await tx.query({
      name: 'insert-movements',
      text: `INSERT INTO movement (movement_id, at, payment_id, kind, amount, fee, tax)
             SELECT movement_id, $1, payment_id, kind, amount, fee, tax
             FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])
               AS m (movement_id, payment_id, kind, amount, fee, tax)`,
      values: [
        this.clock.now(),
        moved.map(() => this.ids.next()),
        moved.map(({ paymentId }) => paymentId),
        moved.map(({ kind }) => kind),
        moved.map(({ amount }) => amount),
        moved.map(({ fee }) => fee),
        moved.map(({ fee }) => divideHalfUp(fee * GST_PERCENT, 100n)),
      ],
    })
  }

  /** Whether the day (`2026-11-28`, of India) has begun: the file of one that is not over yet holds what it has so far. */
  hasBegun(date: string): boolean {
    return beginningOf(date) <= this.clock.now()
  }

  /** The file of a day as CSV, piece by piece. What is booked while it is written may be in it or not. */
  async *file(date: string): AsyncGenerator<string> {
    yield HEADER
    const from = beginningOf(date)
    let last: Pick<MovementRow, 'at' | 'movement_id'> = { at: BigInt(from) - 1n, movement_id: NIL }
    for (;;) {
      const { rows }: pg.QueryResult<MovementRow> = await this.pool.query({
        name: 'movements',
        text: `SELECT m.movement_id, m.at, m.payment_id, m.kind, m.amount, m.fee, m.tax, p.idempotency_key
               FROM movement m JOIN payment p USING (payment_id)
               WHERE (m.at, m.movement_id) > ($1, $2) AND m.at < $3 ORDER BY m.at, m.movement_id LIMIT $4`,
        values: [last.at, last.movement_id, from + DAY_MS, PAGE],
      })
      yield rows.map(lineOf).join('')
      const end = rows.at(-1)
      if (rows.length < PAGE || !end) return
      last = end
    }
  }
}

interface MovementRow {
  readonly movement_id: string
  readonly at: bigint
  readonly payment_id: string
  readonly kind: string
  readonly amount: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly idempotency_key: string
}

const NIL = '00000000-0000-0000-0000-000000000000'

const beginningOf = (date: string): number => Date.parse(`${date}T00:00:00${IST}`)

const feeOf = (method: Method, amount: Paise): Paise => paise(divideHalfUp(amount * FEE_BASIS_POINTS[method], 10_000n))

/** No field holds a comma, a quote or an end of line: an idempotency key is quoted, for it may. */
const lineOf = ({ movement_id, at, payment_id, kind, amount, fee, tax, idempotency_key }: MovementRow): string => {
  const reference = `"${idempotency_key.replaceAll('"', '""')}"`
  return `${[movement_id, kind, payment_id, reference, amount, fee, tax, 'INR', new Date(Number(at)).toISOString()].join(',')}\n`
}
