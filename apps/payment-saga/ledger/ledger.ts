import { PaymentChanged, type PaymentChangedData } from '#contracts'
import { paise, ZERO, type IncomingMessage, type Transaction } from '#kernel'
import { noEffect, type Effect } from '#messaging'
import { commissionTermsAt, type CommissionRow } from '#payment'
import { asPg, type PgTransaction } from '#postgres'
import { postingsOf, type BookedPayment, type Posting } from './postings.js'

const BOOKED = `
SELECT payment_id, order_id, basis_points, gst_rate, captured, refunded, captured_at, owed FROM ledger_payments
WHERE payment_id = ANY ($1::uuid[]) FOR UPDATE`

const BOOK = `
INSERT INTO ledger_payments (payment_id, order_id, basis_points, gst_rate, captured, refunded, captured_at, owed)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::bigint[])
ON CONFLICT (payment_id) DO UPDATE SET captured = excluded.captured, refunded = excluded.refunded, owed = excluded.owed`

const POST = `
INSERT INTO ledger_entries (journal, account, amount, payment_id, order_id, kind, at)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[])
ON CONFLICT (journal, account) DO NOTHING`

interface BookedRow {
  payment_id: string
  order_id: string
  basis_points: number
  gst_rate: number
  captured: bigint
  refunded: bigint
  captured_at: Date
  owed: bigint | null
}

/**
 * The books of payments, kept by double entry from what the payment sagas publish: on capture and refund what was collected is divided into
 * the merchant's payable, the commission and its GST. A posting is made once, whatever is told again or late.
 */
export class Ledger {
  constructor(private readonly commission: readonly CommissionRow[]) {}

  readonly handle = async (messages: readonly IncomingMessage[]): Promise<Effect> => {
    const changes = messages.filter(({ type }) => type === PaymentChanged.type).map(({ data }) => PaymentChanged.parse(data))
    const told = changes.filter((change) => change.captured !== '0' || takesAtOnce(change))
    return told.length === 0 ? noEffect : (tx) => this.#apply(told, tx)
  }

  async #apply(changes: readonly PaymentChangedData[], transaction: Transaction): Promise<void> {
    const tx = asPg(transaction)
    const booked = await loadBooked(tx, [...new Set(changes.map(({ paymentId }) => paymentId))])
    const postings: Posting[] = []
    for (const change of changes) {
      const { after, postings: made } = postingsOf(
        booked.get(change.paymentId) ?? this.#opened(change),
        paise(change.captured),
        paise(change.refunded),
        Date.parse(change.at),
      )
      booked.set(change.paymentId, takesAtOnce(change) ? { ...after, owed: paise(change.amount) } : after)
      postings.push(...made)
    }
    saveBooked(tx, [...booked.values()])
    post(tx, postings)
  }

  /** Before anything of it was posted: the terms are the first capture's. */
  #opened({ paymentId, orderId, at }: PaymentChangedData): BookedPayment {
    const capturedAt = Date.parse(at)
    return { paymentId, orderId, terms: commissionTermsAt(capturedAt, this.commission), captured: ZERO, refunded: ZERO, capturedAt }
  }
}

/** Complete, and paid before it was confirmed: at the door money is taken later. */
const takesAtOnce = ({ status, method }: PaymentChangedData): boolean => status === 'COMPLETED' && method !== 'cod'

const loadBooked = async (tx: PgTransaction, paymentIds: readonly string[]): Promise<Map<string, BookedPayment>> => {
  const { rows } = await tx.query<BookedRow>({ name: 'ledger-booked', text: BOOKED, values: [paymentIds] })
  return new Map(
    rows.map((row) => [
      row.payment_id,
      {
        paymentId: row.payment_id,
        orderId: row.order_id,
        terms: { basisPoints: row.basis_points, gstRate: row.gst_rate },
        captured: paise(row.captured),
        refunded: paise(row.refunded),
        capturedAt: row.captured_at.getTime(),
        ...(row.owed === null ? {} : { owed: paise(row.owed) }),
      },
    ]),
  )
}

const saveBooked = (tx: PgTransaction, payments: readonly BookedPayment[]): void => {
  const values = [
    payments.map(({ paymentId }) => paymentId),
    payments.map(({ orderId }) => orderId),
    payments.map(({ terms }) => terms.basisPoints),
    payments.map(({ terms }) => terms.gstRate),
    payments.map(({ captured }) => captured),
    payments.map(({ refunded }) => refunded),
    payments.map(({ capturedAt }) => new Date(capturedAt).toISOString()),
    payments.map(({ owed }) => owed ?? null),
  ]
  tx.send({ name: 'ledger-book', text: BOOK, values })
}

/** Sends postings; those that were made before change nothing. */
export const post = (tx: PgTransaction, postings: readonly Posting[]): void => {
  const rows = postings.flatMap(({ entries, ...posting }) => entries.map((entry) => ({ ...posting, ...entry })))
  if (rows.length === 0) return
  const values = [
    rows.map(({ journal }) => journal),
    rows.map(({ account }) => account),
    rows.map(({ amount }) => amount),
    rows.map(({ paymentId }) => paymentId),
    rows.map(({ orderId }) => orderId),
    rows.map(({ kind }) => kind),
    rows.map(({ at }) => new Date(at).toISOString()),
  ]
  tx.send({ name: 'ledger-post', text: POST, values })
}
