import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'

/** A payment as Razorpay documents its entity; what no adapter reads is left out. */
interface Payment {
  readonly id: string
  readonly order_id: string
  readonly method: string
  readonly amount: number
  readonly notes: object
  status: 'created' | 'authorized' | 'captured' | 'refunded' | 'failed'
  captured: boolean
  amount_refunded: number
  error_reason: string | null
}

interface Order {
  readonly id: string
  readonly amount: number
  readonly receipt: string
  readonly notes: object
  readonly created_at: number
  readonly manual: boolean
}

interface Refund {
  readonly id: string
  readonly payment_id: string
  readonly amount: number
  readonly receipt: unknown
  readonly notes: unknown
  status: 'pending' | 'processed' | 'failed'
}

type Json = Record<string, unknown>
type Answer = readonly [status: number, body: object]

const id = (kind: string) => `${kind}_${randomBytes(7).toString('hex')}`
/** https://razorpay.com/docs/errors: the envelope of every refusal. */
const refused = (reason: string, status = 400): Answer => [
  status,
  {
    error: {
      code: 'BAD_REQUEST_ERROR',
      description: 'It was refused.',
      source: 'business',
      step: 'payment_initiation',
      reason,
      metadata: {},
    },
  },
]

/**
 * Razorpay's API as its documentation has it, over books in memory: Basic authentication, orders whose receipt is no key, server-to-server
 * payments, capture of what is authorised, refunds under `X-Refund-Idempotency`, the settlement report, webhooks signed over the raw body and
 * sent before the answer. Its own test VPAs decide what becomes of a UPI payment.
 */
export class RazorpayStub {
  readonly webhooks: { readonly body: string; readonly signature: string }[] = []
  /** Items of `/v1/settlements/recon/combined`, by day: `2026-11-28`. */
  readonly recon = new Map<string, readonly object[]>()
  readonly orders = new Map<string, Order>()
  readonly payments = new Map<string, Payment>()
  readonly refunds = new Map<string, Refund>()
  /** What becomes of a refund at once. */
  refundsAre: Refund['status'] = 'processed'
  /** Orders are made, and not listed yet. */
  listsLate = false
  readonly #refundKeys = new Map<string, { readonly body: string; readonly answer: Answer }>()
  readonly #server = createServer((request, response) => {
    void this.#answer(request).then(([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })

  constructor(
    private readonly keyId: string,
    private readonly keySecret: string,
    private readonly webhookSecret: string,
  ) {}

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** What was authorised and not captured in time goes back by itself. */
  lapse(): void {
    for (const payment of this.payments.values()) {
      if (payment.status !== 'authorized') continue
      payment.status = 'refunded'
      payment.amount_refunded = payment.amount
    }
  }

  /** The payer of an order goes back and pays it once more, or another request of ours comes late: the order has one more payment. */
  again(receipt: string): string {
    const first = [...this.payments.values()].find(({ order_id }) => this.orders.get(order_id)?.receipt === receipt)
    if (!first) throw new Error(`no payment of ${receipt}`)
    const payment: Payment = { ...first, id: id('pay'), status: 'authorized', captured: false, amount_refunded: 0 }
    this.payments.set(payment.id, payment)
    this.#tell('payment.authorized', payment)
    if (!this.orders.get(payment.order_id)?.manual) this.#captured(payment)
    return payment.id
  }

  /** Refunds that were pending are not any more. One that failed is as if it had not been: its money is the merchant's again. */
  settleRefunds(status: 'processed' | 'failed'): void {
    for (const refund of this.refunds.values()) {
      if (refund.status !== 'pending') continue
      refund.status = status
      const payment = this.payments.get(refund.payment_id)
      if (!payment || status !== 'failed') continue
      payment.amount_refunded -= refund.amount
      payment.status = 'captured'
    }
  }

  /** Whoever was sent to their bank pays there. */
  payAtBank(): void {
    for (const payment of this.payments.values()) {
      if (payment.status !== 'created' || payment.method !== 'netbanking') continue
      payment.status = 'authorized'
      this.#tell('payment.authorized', payment)
      if (!this.orders.get(payment.order_id)?.manual) this.#captured(payment)
    }
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk as Uint8Array)
    const text = Buffer.concat(chunks).toString()
    if (request.headers.authorization !== `Basic ${Buffer.from(`${this.keyId}:${this.keySecret}`).toString('base64')}`)
      return [401, { error: { code: 'BAD_REQUEST_ERROR', description: 'Authentication failed' } }]
    const url = new URL(request.url ?? '/', 'http://stub')
    const body = text === '' ? {} : (JSON.parse(text) as Json)
    const [, paymentId = '', operation] = /^\/v1\/payments\/(pay_\w+)(?:\/(\w+))?$/.exec(url.pathname) ?? []
    const [, refundId = ''] = /^\/v1\/refunds\/(rfnd_\w+)$/.exec(url.pathname) ?? []
    switch (`${request.method} ${url.pathname.replace(paymentId || refundId || '\n', ':id')}`) {
      case 'POST /v1/orders':
        return this.#order(body)
      case 'GET /v1/orders':
        return this.#listed(url.searchParams)
      case 'POST /v1/payments/create/json':
        return this.#pay(body)
      case 'GET /v1/settlements/recon/combined':
        return this.#settled(url.searchParams)
      case 'GET /v1/refunds/:id': {
        const refund = this.refunds.get(refundId)
        return refund ? [200, refundView(refund)] : refused('input_validation_failed')
      }
      case 'GET /v1/payments/:id/refunds': {
        const items = [...this.refunds.values()].filter(({ payment_id }) => payment_id === paymentId).map(refundView)
        return [200, { entity: 'collection', count: items.length, items }]
      }
      case 'GET /v1/payments/:id':
      case 'POST /v1/payments/:id/capture':
      case 'POST /v1/payments/:id/refund': {
        const payment = this.payments.get(paymentId)
        if (!payment) return refused('input_validation_failed')
        if (operation === 'capture') return this.#capture(payment, body)
        return operation === 'refund'
          ? this.#refund(payment, body, String(request.headers['x-refund-idempotency'] ?? ''), text)
          : [200, viewOf(payment)]
      }
      default:
        return [404, { error: { code: 'BAD_REQUEST_ERROR', description: 'The requested URL was not found on the server.' } }]
    }
  }

  #order({ amount, currency, receipt, notes, payment }: Json): Answer {
    if (!isPaise(amount) || currency !== 'INR' || typeof receipt !== 'string' || receipt.length > 40)
      return refused('input_validation_failed')
    const options = payment as { capture: string; capture_options: { manual_expiry_period?: number; automatic_expiry_period?: number } }
    const minutes = options.capture_options.manual_expiry_period ?? options.capture_options.automatic_expiry_period ?? 0
    if (minutes < 12 || minutes > 7_200) return refused('input_validation_failed')
    const order = {
      id: id('order'),
      amount,
      receipt,
      notes: Object(notes) as object,
      created_at: now(),
      manual: options.capture === 'manual',
    }
    this.orders.set(order.id, order)
    return [200, { ...order, entity: 'order', currency, status: 'created' }]
  }

  #listed(query: URLSearchParams): Answer {
    const items = [...this.orders.values()]
      .filter(({ receipt }) => !this.listsLate && (!query.has('receipt') || receipt === query.get('receipt')))
      .map((order) => {
        const paid = [...this.payments.values()].filter(({ order_id }) => order_id === order.id).map(viewOf)
        const expanded = query.get('expand[]') === 'payments' ? { payments: { entity: 'collection', count: paid.length, items: paid } } : {}
        return { ...order, entity: 'order', currency: 'INR', ...expanded }
      })
    return [200, { entity: 'collection', count: items.length, items: items.toReversed().slice(0, Number(query.get('count') ?? 10)) }]
  }

  #pay({ amount, currency, order_id, email, contact, method, upi, bank, token, notes }: Json): Answer {
    const order = this.orders.get(String(order_id))
    if (!order || amount !== order.amount || currency !== 'INR' || !email || !contact) return refused('input_validation_failed')
    if (this.#isPaid(order.id)) return refused('order_already_paid')
    const payment: Payment = {
      id: id('pay'),
      order_id: order.id,
      method: String(method),
      amount: order.amount,
      notes: Object(notes) as object,
      status: 'created',
      captured: false,
      amount_refunded: 0,
      error_reason: null,
    }
    this.payments.set(payment.id, payment)
    const made = { razorpay_payment_id: payment.id }
    const { flow, vpa } = Object(upi) as { flow?: string; vpa?: string }
    if (method === 'netbanking') {
      const url = `https://api.razorpay.com/v1/payments/${payment.id}/authorize?bank=${String(bank)}`
      return [200, { ...made, next: [{ action: 'redirect', url }] }]
    }
    if (flow === 'intent')
      return [
        200,
        {
          ...made,
          next: [
            { action: 'intent', url: 'upi://pay?pa=razorpay@upi&am=1.00' },
            { action: 'poll', url: 'x:/y' },
          ],
        },
      ]
    if (vpa === 'failure@razorpay' || token === 'token_declined') {
      payment.status = 'failed'
      payment.error_reason = 'payment_declined'
      this.#tell('payment.failed', payment)
      return [200, made]
    }
    payment.status = 'authorized'
    this.#tell('payment.authorized', payment)
    if (!order.manual) this.#captured(payment)
    return [200, made]
  }

  #capture(payment: Payment, { amount, currency }: Json): Answer {
    if (payment.status !== 'authorized') return refused('payment_already_captured')
    if (this.#isPaid(payment.order_id)) return refused('order_already_paid')
    if (amount !== payment.amount || currency !== 'INR') return refused('input_validation_failed')
    this.#captured(payment)
    return [200, viewOf(payment)]
  }

  #isPaid(orderId: string): boolean {
    return [...this.payments.values()].some(({ order_id, captured }) => order_id === orderId && captured)
  }

  /** An order takes one capture; what is authorised besides goes back by itself. */
  #captured(payment: Payment): void {
    if (this.#isPaid(payment.order_id)) {
      payment.status = 'refunded'
      payment.amount_refunded = payment.amount
      return
    }
    payment.status = 'captured'
    payment.captured = true
    this.#tell('payment.captured', payment)
  }

  #refund(payment: Payment, { amount, receipt, notes }: Json, key: string, text: string): Answer {
    if (!/^[A-Za-z0-9_-]{10,}$/.test(key)) return refused('input_validation_failed')
    const before = this.#refundKeys.get(key)
    if (before) return before.body === text ? before.answer : refused('input_validation_failed')
    if (!payment.captured || !isPaise(amount) || payment.amount_refunded + amount > payment.amount)
      return refused('input_validation_failed')
    const refund: Refund = { id: id('rfnd'), payment_id: payment.id, amount, receipt, notes, status: this.refundsAre }
    this.refunds.set(refund.id, refund)
    payment.amount_refunded += refund.status === 'failed' ? 0 : amount
    if (payment.amount_refunded === payment.amount) payment.status = 'refunded'
    const answer: Answer = [200, refundView(refund)]
    this.#refundKeys.set(key, { body: text, answer })
    this.#tell('refund.processed', payment)
    return answer
  }

  #settled(query: URLSearchParams): Answer {
    const items = this.recon.get(['year', 'month', 'day'].map((part) => query.get(part)).join('-')) ?? []
    const skip = Number(query.get('skip') ?? 0)
    const page = items.slice(skip, skip + Number(query.get('count') ?? 10))
    return [200, { entity: 'collection', count: page.length, items: page }]
  }

  #tell(event: string, payment: Payment): void {
    const payload = { payment: { entity: viewOf(payment) } }
    const body = JSON.stringify({ entity: 'event', account_id: 'acc_stub', event, contains: ['payment'], payload, created_at: now() })
    this.webhooks.push({ body, signature: createHmac('sha256', this.webhookSecret).update(body).digest('hex') })
  }
}

const now = () => Math.floor(Date.now() / 1_000)
const isPaise = (amount: unknown): amount is number => Number.isSafeInteger(amount) && Number(amount) > 0
const viewOf = (payment: Payment) => ({ entity: 'payment', currency: 'INR', fee: null, tax: null, ...payment })
const refundView = (refund: Refund) => ({ entity: 'refund', currency: 'INR', ...refund })
