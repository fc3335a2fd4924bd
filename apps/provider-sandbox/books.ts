import { createHash } from 'node:crypto'
import { isRefusal, paise, type Clock, type Ids, type Paise, type Refusal } from '#kernel'
import { asPg, pgTransactions, type PgTransaction } from '#postgres'
import type pg from 'pg'
import { chance, delayOf_ms, outcomeOf, type Method } from './outcome.js'
import type { Settlements } from './settlements.js'
import { decided, due, opened, operate, type Change, type Operation, type Payment, type PaymentStatus } from './payment.js'

export interface BooksSettings {
  readonly seed: number
  readonly upiWindow_seconds: number
  readonly duplicateRate: number
  readonly outOfOrderRate: number
  readonly lostWebhookDelay_seconds: number
}

export interface PaymentRequest {
  readonly idempotencyKey: string
  readonly orderId: string
  readonly amount: Paise
  readonly method: Method
  readonly instrument: string
  readonly flow?: 'collect' | 'intent'
  readonly returnUrl?: string
  /** An EMI or pay-later plan: the payer's matter, and the bank's. */
  readonly plan?: string
}

/** The same idempotency key with another request. */
export const KEY_REUSED = 'key-reused'
export const UNKNOWN_PAYMENT = 'unknown-payment'

/** A webhook held back lets those after it overtake: up to this long. */
const HELD_BACK_MS = 3_000

/**
 * The provider's books, in PostgreSQL. Each effect is committed with its webhook before anyone is told of it, and is done once per
 * idempotency key. Reject only when the database does.
 */
export class Books {
  readonly #transactions

  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly settings: BooksSettings,
    private readonly settlements: Settlements,
  ) {
    this.#transactions = pgTransactions(pool)
  }

  /** Books the payment, or answers with the one that this key already has. */
  async open(request: PaymentRequest): Promise<Payment | typeof KEY_REUSED> {
    const { instrument, plan, ...details } = request
    const fingerprint = fingerprintOf(
      request.orderId,
      request.amount.toString(),
      request.method,
      instrument,
      request.flow ?? '',
      ...(plan === undefined ? [] : [plan]),
    )
    const outcome = outcomeOf(request.method, instrument)
    const blank: Payment = { ...details, paymentId: this.ids.next(), status: 'pending', captured: paise(0), refunded: paise(0) }
    const luck = chance(this.settings.seed, request.idempotencyKey, 'delay')
    const now = this.clock.now()
    const change = opened(blank, outcome, { now, dueAt: now + delayOf_ms(outcome, luck, this.settings.upiWindow_seconds) })
    return this.#transactions.run(async (transaction) => {
      const tx = asPg(transaction)
      const inserted = await insertPayment(tx, change.payment, fingerprint, now)
      if (inserted) {
        await this.#tell(tx, [change], outcome === 'lost' ? this.settings.lostWebhookDelay_seconds * 1_000 : 0)
        return change.payment
      }
      const { rows } = await tx.query<PaymentRow>({ name: 'payment-by-key', text: BY_KEY, values: [request.idempotencyKey] })
      const [row] = rows
      if (!row) throw new Error('a payment that was just in the way is gone')
      return row.fingerprint === fingerprint ? fromRow(row) : KEY_REUSED
    })
  }

  async byKey(idempotencyKey: string): Promise<Payment | undefined> {
    const { rows } = await this.pool.query<PaymentRow>({ name: 'payment-by-key', text: BY_KEY, values: [idempotencyKey] })
    return rows[0] && fromRow(rows[0])
  }

  async byId(paymentId: string): Promise<Payment | undefined> {
    const { rows } = await this.pool.query<PaymentRow>({ name: 'payment-by-id', text: BY_ID, values: [paymentId] })
    return rows[0] && fromRow(rows[0])
  }

  /** Captures, voids or refunds once per key. What was refused had no effect, so its key may be used again. */
  operate(
    paymentId: string,
    operation: Operation,
    idempotencyKey: string,
    amount?: Paise,
  ): Promise<Payment | Refusal | typeof KEY_REUSED | typeof UNKNOWN_PAYMENT> {
    const fingerprint = fingerprintOf(operation, amount?.toString() ?? '')
    return this.#transactions.run(async (transaction) => {
      const tx = asPg(transaction)
      const { rows } = await tx.query<PaymentRow>({ name: 'lock-payment', text: `${BY_ID} FOR UPDATE`, values: [paymentId] })
      const [row] = rows
      if (!row) return UNKNOWN_PAYMENT
      const earlier = await tx.query<{ fingerprint: string; answer: string }>({
        name: 'operation',
        text: 'SELECT fingerprint, answer FROM operation WHERE payment_id = $1 AND idempotency_key = $2',
        values: [paymentId, idempotencyKey],
      })
      const [done] = earlier.rows
      if (done) return done.fingerprint === fingerprint ? fromAnswer(fromRow(row), done.answer) : KEY_REUSED
      const change = operate(fromRow(row), operation, amount)
      if (isRefusal(change)) return change
      await updatePayment(tx, change.payment)
      await tx.query({
        name: 'insert-operation',
        text: 'INSERT INTO operation (payment_id, idempotency_key, fingerprint, answer) VALUES ($1, $2, $3, $4)',
        values: [paymentId, idempotencyKey, fingerprint, toAnswer(change.payment)],
      })
      await this.#tell(tx, [change], 0)
      return change.payment
    })
  }

  /** What the payer says at the page. A payment of which nobody is asked, or not any more, is answered as it is. */
  decide(paymentId: string, pays: boolean): Promise<Payment | typeof UNKNOWN_PAYMENT> {
    return this.#transactions.run(async (transaction) => {
      const tx = asPg(transaction)
      const { rows } = await tx.query<PaymentRow>({ name: 'lock-payment', text: `${BY_ID} FOR UPDATE`, values: [paymentId] })
      const [row] = rows
      if (!row) return UNKNOWN_PAYMENT
      const change = decided(fromRow(row), pays, this.clock.now())
      if (!change) return fromRow(row)
      await updatePayment(tx, change.payment)
      await this.#tell(tx, [change], 0)
      return change.payment
    })
  }

  /** Pays or declines what is due, at most `limit`. Answers how many. Several may run at once. */
  settleDue(limit: number): Promise<number> {
    const now = this.clock.now()
    return this.#transactions.run(async (transaction) => {
      const tx = asPg(transaction)
      const { rows } = await tx.query<PaymentRow>({ name: 'due-payments', text: DUE, values: [now, limit] })
      const changes = rows.map((row) => due(fromRow(row), now))
      for (const { payment } of changes) await updatePayment(tx, payment)
      await this.#tell(tx, changes, 0)
      return changes.length
    })
  }

  /** Books what moved, and writes the webhooks of what changed, some twice and some held back, as the seed has it. */
  async #tell(tx: PgTransaction, changes: readonly Change[], delay_ms: number): Promise<void> {
    await this.settlements.book(tx, changes)
    const now = this.clock.now()
    const { seed, duplicateRate, outOfOrderRate } = this.settings
    const webhooks = changes.flatMap(({ payment, event }) => {
      if (!event) return []
      const eventId = this.ids.next()
      const luck = (what: string) => chance(seed, payment.idempotencyKey, event.type, payment.refunded.toString(), what)
      const heldBack_ms = luck('order') < outOfOrderRate ? Math.floor((0.3 + 0.7 * luck('held-back')) * HELD_BACK_MS) : 0
      const body = JSON.stringify({
        eventId,
        type: event.type,
        paymentId: payment.paymentId,
        idempotencyKey: payment.idempotencyKey,
        amount: event.amount.toString(),
        ...(payment.paidAt === undefined ? {} : { paidAt: new Date(payment.paidAt).toISOString() }),
        at: new Date(now).toISOString(),
      })
      return [
        {
          eventId,
          paymentId: payment.paymentId,
          body,
          at: now + delay_ms + heldBack_ms,
          copies: luck('twice') < duplicateRate ? 2 : 1,
        },
      ]
    })
    if (webhooks.length === 0) return
    await tx.query({
      name: 'insert-webhooks',
      text: `INSERT INTO webhook (event_id, payment_id, body, created_at, next_attempt_at, copies)
             SELECT event_id, payment_id, body, $1, next_attempt_at, copies
             FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::integer[]) AS w (event_id, payment_id, body, next_attempt_at, copies)`,
      values: [
        now,
        webhooks.map(({ eventId }) => eventId),
        webhooks.map(({ paymentId }) => paymentId),
        webhooks.map(({ body }) => body),
        webhooks.map(({ at }) => at),
        webhooks.map(({ copies }) => copies),
      ],
    })
  }
}

interface PaymentRow {
  readonly payment_id: string
  readonly idempotency_key: string
  readonly fingerprint: string
  readonly order_id: string
  readonly method: Method
  readonly flow: 'collect' | 'intent' | null
  readonly amount: bigint
  readonly status: PaymentStatus
  readonly captured: bigint
  readonly refunded: bigint
  readonly paid_at: bigint | null
  readonly decline_reason: string | null
  readonly due_at: bigint | null
  readonly asks_payer: boolean
  readonly return_url: string | null
}

const COLUMNS =
  'payment_id, idempotency_key, fingerprint, order_id, method, flow, amount, status, captured, refunded, decline_reason, due_at, asks_payer, return_url, paid_at'
const BY_KEY = `SELECT ${COLUMNS} FROM payment WHERE idempotency_key = $1`
const BY_ID = `SELECT ${COLUMNS} FROM payment WHERE payment_id = $1`
const DUE = `SELECT ${COLUMNS} FROM payment WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED`

const fromRow = (row: PaymentRow): Payment => ({
  paymentId: row.payment_id,
  idempotencyKey: row.idempotency_key,
  orderId: row.order_id,
  method: row.method,
  ...(row.flow === null ? {} : { flow: row.flow }),
  amount: paise(row.amount),
  status: row.status,
  captured: paise(row.captured),
  refunded: paise(row.refunded),
  ...(row.paid_at === null ? {} : { paidAt: Number(row.paid_at) }),
  ...(row.decline_reason === null ? {} : { declineReason: row.decline_reason }),
  ...(row.due_at === null ? {} : { dueAt: Number(row.due_at) }),
  ...(row.asks_payer ? { asksPayer: true } : {}),
  ...(row.return_url === null ? {} : { returnUrl: row.return_url }),
})

/** What an operation left, so that its repeat is answered as it was, whatever happened since. */
const toAnswer = ({ status, captured, refunded }: Payment): string => [status, captured, refunded].join(' ')

const fromAnswer = (payment: Payment, answer: string): Payment => {
  const [status, captured = '0', refunded = '0'] = answer.split(' ')
  return { ...payment, status: status === 'voided' ? 'voided' : 'captured', captured: paise(captured), refunded: paise(refunded) }
}

const insertPayment = async (tx: PgTransaction, payment: Payment, fingerprint: string, now: number): Promise<boolean> => {
  const { rowCount } = await tx.query({
    name: 'insert-payment',
    text: `INSERT INTO payment (${COLUMNS}, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
           ON CONFLICT (idempotency_key) DO NOTHING`,
    values: [
      payment.paymentId,
      payment.idempotencyKey,
      fingerprint,
      payment.orderId,
      payment.method,
      payment.flow ?? null,
      payment.amount,
      payment.status,
      payment.captured,
      payment.refunded,
      payment.declineReason ?? null,
      payment.dueAt ?? null,
      payment.asksPayer ?? false,
      payment.returnUrl ?? null,
      payment.paidAt ?? null,
      now,
    ],
  })
  return rowCount === 1
}

const updatePayment = (tx: PgTransaction, payment: Payment): Promise<unknown> =>
  tx.query({
    name: 'update-payment',
    text: 'UPDATE payment SET status = $2, captured = $3, refunded = $4, due_at = $5, decline_reason = $6, paid_at = $7 WHERE payment_id = $1',
    values: [
      payment.paymentId,
      payment.status,
      payment.captured,
      payment.refunded,
      payment.dueAt ?? null,
      payment.declineReason ?? null,
      payment.paidAt ?? null,
    ],
  })

const fingerprintOf = (...parts: readonly string[]): string => createHash('sha256').update(parts.join('\u0000')).digest('hex')
