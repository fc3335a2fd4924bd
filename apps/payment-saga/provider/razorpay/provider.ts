import { add, paise, ZERO, type JsonObject, type Paise } from '#kernel'
import {
  AUTHORISATION_LIFE_MS,
  capturesLater,
  REFUND_FAILED,
  type AuthoriseRequest,
  type NextAction,
  type PaymentProvider,
  type ProviderAnswer,
  type ProviderPayment,
} from '#payment'
import { createHash } from 'node:crypto'
import type { HttpAnswer, ProviderHttp, ProviderStep } from '../http.js'
import { Created, ErrorBody, Orders, Payment, Refund, Refunds, type RazorpayOrder, type RazorpayPayment } from './wire.js'

export interface RazorpayPayer {
  /** Razorpay wants a payer's address and number. The platform hands it no customer's: these are the shop's own. */
  readonly email: string
  readonly contact: string
}

/** An authorisation that nobody captures goes back by itself after this: Razorpay has no call that gives one up. */
const AUTHORISATION_MINUTES = AUTHORISATION_LIFE_MS / 60_000
const INR = 'INR'

/**
 * Razorpay over its HTTP API (orders, server-to-server payments, capture, refunds; https://razorpay.com/docs/api). What is not as the port has
 * it there is made so here:
 * - A payment has no idempotency key. Its order's `receipt` is made of ours, and before anything is made the order of that receipt is looked
 *   for with its payments; once one was made, again. An order takes one capture, so of two payments of one order at most one is kept; the other
 *   goes back by itself.
 * - A capture has none either; a payment is captured at most once, and one that was is looked at.
 * - An authorisation cannot be given up. It lapses by itself, and until it has, giving it up is `unknown`.
 * - A refund may be pending for days, and a payment counts it at once. Only what was processed has gone back; the rest is asked about.
 */
export class RazorpayProvider implements PaymentProvider {
  constructor(
    private readonly http: Pick<ProviderHttp, 'call'>,
    private readonly payer: RazorpayPayer,
  ) {}

  async authorise(key: string, request: AuthoriseRequest, signal: AbortSignal): Promise<ProviderAnswer> {
    const before = await this.#orders(key, signal)
    if (before.known !== 'orders') return before
    if (before.orders[0]) return this.#payOnce(key, before.orders, before.orders[0], request, signal)
    const made = await this.#order(key, request, signal)
    if ('known' in made) return made
    // Whoever took this process for dead may have made one at this moment too: both pay on the first of them, if it is listed by now.
    const after = await this.#orders(key, signal)
    if (after.known !== 'orders') return after
    return this.#payOnce(key, after.orders, after.orders[0] ?? made, request, signal)
  }

  async find(key: string, signal: AbortSignal): Promise<ProviderAnswer> {
    const found = await this.#orders(key, signal)
    if (found.known !== 'orders') return found
    const payment = foremostOf(found.orders)
    return payment ? this.#booked(payment, signal) : { known: 'absent' }
  }

  async capture(_key: string, paymentId: string, amount: Paise, signal: AbortSignal): Promise<ProviderAnswer> {
    const body = { amount: Number(amount), currency: INR }
    const answer = await this.#call('change', 'POST', `/v1/payments/${encodeURIComponent(paymentId)}/capture`, signal, { body })
    if (answer.known === 'body') return Payment.Check(answer.body) ? this.#booked(answer.body, signal) : OFF_CONTRACT
    if (answer.known !== 'refused') return answer
    const found = await this.#payment(paymentId, signal)
    if (found.known !== 'answered') return found
    // It was captured before, by this call or by another way.
    return found.payment.status === 'captured' && found.payment.captured === amount ? found : answer
  }

  async void(_key: string, paymentId: string, signal: AbortSignal): Promise<ProviderAnswer> {
    const found = await this.#payment(paymentId, signal)
    if (found.known !== 'answered') return found
    switch (found.payment.status) {
      case 'voided':
      case 'declined':
        return found
      case 'captured':
        return refused('invalid-transition')
      case 'authorised':
      case 'pending':
        return { known: 'unknown', detail: 'the authorisation lapses by itself' }
    }
  }

  /** The same key for another payment is another refund. */
  async refund(key: string, paymentId: string, amount: Paise, signal: AbortSignal): Promise<ProviderAnswer> {
    const once = receiptOf(`${key} ${paymentId}`)
    const answer = await this.#call('change', 'POST', `/v1/payments/${encodeURIComponent(paymentId)}/refund`, signal, {
      body: { amount: Number(amount), receipt: once, notes: { idempotency_key: key } },
      headers: { 'x-refund-idempotency': once },
    })
    if (answer.known !== 'body') return answer
    if (!Refund.Check(answer.body) || answer.body.payment_id !== paymentId) return OFF_CONTRACT
    const { id, status } = answer.body
    // The same key again is answered as it was the first time.
    const now = status === 'pending' ? await this.#look(`/v1/refunds/${id}`, signal) : answer
    if (now.known !== 'body') return now
    if (!Refund.Check(now.body) || now.body.id !== id) return OFF_CONTRACT
    switch (now.body.status) {
      case 'processed':
        return this.#payment(paymentId, signal)
      case 'pending':
        return { known: 'unknown', detail: 'the refund is pending', retryAfter_ms: REFUND_PENDING_MS }
      case 'failed':
        return refused(REFUND_FAILED)
    }
  }

  /** Orders that were made under this key, the first one first, by the second and then the id: more than one only where two made theirs at the same moment. */
  async #orders(key: string, signal: AbortSignal): Promise<Found | Unanswered> {
    const path = `/v1/orders?receipt=${receiptOf(key)}&expand[]=payments&count=100`
    const answer = await this.#look(path, signal)
    if (answer.known !== 'body') return answer
    if (!Orders.Check(answer.body)) return OFF_CONTRACT
    const orders = answer.body.items
      .filter(({ receipt }) => receipt === receiptOf(key))
      .toSorted((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1))
    return { known: 'orders', orders }
  }

  async #order(
    key: string,
    { orderId, amount, method }: AuthoriseRequest,
    signal: AbortSignal,
  ): Promise<{ readonly id: string } | Unanswered> {
    const capture = capturesLater(method)
      ? { capture: 'manual', capture_options: { manual_expiry_period: AUTHORISATION_MINUTES, refund_speed: 'normal' } }
      : { capture: 'automatic', capture_options: { automatic_expiry_period: AUTHORISATION_MINUTES, refund_speed: 'normal' } }
    const body = {
      amount: Number(amount),
      currency: INR,
      receipt: receiptOf(key),
      notes: { idempotency_key: key, order_id: orderId },
      payment: capture,
    }
    const answer = await this.#call('authorise', 'POST', '/v1/orders', signal, { body })
    if (answer.known !== 'body') return answer
    return Created.order.Check(answer.body) ? { id: answer.body.id } : OFF_CONTRACT
  }

  /** On this order, unless one of them all has a payment. */
  async #payOnce(
    key: string,
    orders: readonly RazorpayOrder[],
    { id }: Pick<RazorpayOrder, 'id'>,
    request: AuthoriseRequest,
    signal: AbortSignal,
  ): Promise<ProviderAnswer> {
    const known = foremostOf(orders)
    if (!known) return this.#pay(key, id, request, signal)
    return sameRequest(known, request.amount) ? this.#booked(known, signal) : refused('idempotency-key-reused')
  }

  async #pay(key: string, razorpayOrder: string, request: AuthoriseRequest, signal: AbortSignal): Promise<ProviderAnswer> {
    const { amount, method, returnUrl } = request
    const body = {
      amount: Number(amount),
      currency: INR,
      order_id: razorpayOrder,
      ...this.payer,
      method,
      ...instrumentOf(request),
      ...request.plan?.tells,
      ...(returnUrl === undefined ? {} : { callback_url: returnUrl }),
      notes: { idempotency_key: key },
    }
    const answer = await this.#call('authorise', 'POST', '/v1/payments/create/json', signal, { body })
    // What was refused may be on record as a payment that failed: then that is what became of it, for this key.
    if (answer.known === 'refused') {
      const found = await this.find(key, signal)
      return found.known === 'absent' ? answer : found
    }
    if (answer.known !== 'body') return answer
    if (!Created.payment.Check(answer.body)) return OFF_CONTRACT
    const { razorpay_payment_id: paymentId, next = [] } = answer.body
    const link = next.flatMap(nextOf)[0]
    const found = await this.#payment(paymentId, signal)
    // It was made, and where its payer goes on is told only here: whatever else is not known yet can be asked for.
    const payment: ProviderPayment =
      found.known === 'answered' ? found.payment : { paymentId, status: 'pending', amount, captured: ZERO, refunded: ZERO }
    return { known: 'answered', payment: payment.status === 'pending' && link ? { ...payment, next: link } : payment }
  }

  async #payment(paymentId: string, signal: AbortSignal): Promise<ProviderAnswer> {
    const answer = await this.#look(`/v1/payments/${encodeURIComponent(paymentId)}`, signal)
    if (answer.known !== 'body') return answer
    return Payment.Check(answer.body) ? this.#booked(answer.body, signal) : OFF_CONTRACT
  }

  /** As the port has it: of what was taken only refunds that were processed are gone. */
  async #booked(payment: RazorpayPayment, signal: AbortSignal): Promise<ProviderAnswer> {
    if (!wasTaken(payment) || !payment.amount_refunded) return { known: 'answered', payment: booksOf(payment, ZERO) }
    const answer = await this.#look(`/v1/payments/${payment.id}/refunds?count=100`, signal)
    if (answer.known !== 'body') return answer
    if (!Refunds.Check(answer.body)) return OFF_CONTRACT
    const processed = answer.body.items.filter(({ status }) => status === 'processed').map(({ amount }) => paise(amount))
    return { known: 'answered', payment: booksOf(payment, add(ZERO, ...processed)) }
  }

  /** A question that is refused leaves unknown what was asked. */
  async #look(path: string, signal: AbortSignal): Promise<Body | Unknown> {
    const answer = await this.#call('find', 'GET', path, signal)
    return answer.known === 'body' || answer.known === 'unknown' ? answer : { known: 'unknown', detail: `a look-up was ${answer.known}` }
  }

  async #call(step: ProviderStep, method: 'GET' | 'POST', path: string, signal: AbortSignal, more?: Sent): Promise<Body | Unanswered> {
    return readAnswer(await this.http.call(step, method, path, signal, more))
  }
}

type Sent = { readonly body: JsonObject; readonly headers?: Readonly<Record<string, string>> }
type Body = { readonly known: 'body'; readonly body: unknown }
type Found = { readonly known: 'orders'; readonly orders: readonly RazorpayOrder[] }
type Unanswered = Exclude<ProviderAnswer, { known: 'answered' }>

type Unknown = Extract<ProviderAnswer, { known: 'unknown' }>

/** By its normal speed a refund takes 5 to 7 working days. */
const REFUND_PENDING_MS = 3 * 3_600_000
const OFF_CONTRACT: Unknown = { known: 'unknown', detail: 'an answer off contract' }

const refused = (slug: string): Unanswered => ({ known: 'refused', slug, detail: 'refused by Razorpay' })

/**
 * Only `BAD_REQUEST_ERROR` in Razorpay's own words, with 400, says that nothing happened, and not where another call of the same key is under
 * way, too many came, or its address or our credentials are wrong. What it says in prose may hold what was sent, and is not passed on.
 */
const readAnswer = (answer: HttpAnswer): Body | Unanswered => {
  if (!answer.answered) return { known: 'unknown', detail: answer.detail }
  const { status, body } = answer
  if (status === 200 || status === 201) return { known: 'body', body }
  const error = ErrorBody.Check(body) ? body.error : undefined
  if (status !== 400 || error?.code !== 'BAD_REQUEST_ERROR' || error.reason === 'server_error')
    return { known: 'unknown', detail: `status ${status}` }
  const reason = error.reason ?? ''
  return refused(/^[a-z0-9_]{1,64}$/.test(reason) ? reason.replaceAll('_', '-') : 'bad-request')
}

/** 40 characters at most, and for a refund's key letters, digits, `-` and `_`: ours may be longer and holds colons. */
export const receiptOf = (key: string): string => createHash('sha256').update(key).digest('base64url').slice(0, 40)

/** A card is a token that Razorpay saved for one of its customers: `cust_…/token_…`. */
const instrumentOf = ({ method, instrument, flow, plan }: AuthoriseRequest): JsonObject => {
  // A lender's page is found by what the plan tells, and not by a bank.
  if (plan && method === 'netbanking') return {}
  switch (method) {
    case 'upi':
      return flow === 'intent' ? { upi: { flow: 'intent' } } : { upi: { flow: 'collect', vpa: instrument } }
    case 'netbanking':
      return { bank: instrument }
    case 'card': {
      const [customer, token] = instrument.split('/', 2)
      return token === undefined ? { token: instrument } : { customer_id: customer ?? '', token }
    }
  }
}

const nextOf = ({ action, url }: { readonly action: string; readonly url?: string | undefined }): readonly NextAction[] => {
  if (url === undefined) return []
  if (action === 'redirect' || action === 'authenticate') return [{ kind: 'redirect', url }]
  return action === 'intent' ? [{ kind: 'intent', url }] : []
}

/** Of all payments of a key the one that binds money, as the port wants it. An authorisation that lapsed is `refunded` and was not captured. */
const foremostOf = (orders: readonly RazorpayOrder[]): RazorpayPayment | undefined => {
  const rank = (payment: RazorpayPayment): number => {
    switch (payment.status) {
      case 'captured':
      case 'refunded':
        return !wasTaken(payment) ? 1 : (payment.amount_refunded ?? 0) < payment.amount ? 5 : 2
      case 'authorized':
        return 4
      case 'created':
        return 3
      case 'failed':
        return 0
    }
  }
  return orders
    .flatMap(({ payments }) => payments?.items ?? [])
    .reduce<RazorpayPayment | undefined>((best, each) => (best && rank(best) >= rank(each) ? best : each), undefined)
}

const wasTaken = ({ status, captured }: RazorpayPayment): boolean => captured || status === 'captured'

const sameRequest = (payment: RazorpayPayment, amount: Paise): boolean => BigInt(payment.amount) === amount

/** A payment that was refunded without having been captured is an authorisation that lapsed. */
const booksOf = (payment: RazorpayPayment, refunded: Paise): ProviderPayment => {
  const { id, status, error_reason, created_at } = payment
  const amount = paise(payment.amount)
  const open = { paymentId: id, amount, captured: ZERO, refunded: ZERO }
  // It does not say when a payer paid: the time of the attempt is the earliest that it can be, and so never to their loss.
  const paid = created_at === undefined ? open : { ...open, paidAt: created_at * 1_000 }
  switch (status) {
    case 'created':
      return { ...open, status: 'pending' }
    case 'authorized':
      return { ...paid, status: 'authorised' }
    case 'failed':
      return { ...open, status: 'declined', ...(error_reason ? { reason: error_reason.replaceAll('_', '-') } : {}) }
    case 'captured':
    case 'refunded':
      return wasTaken(payment) ? { ...paid, status: 'captured', captured: amount, refunded } : { ...open, status: 'voided' }
  }
}
