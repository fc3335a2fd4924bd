import { setTimeout as wait } from 'node:timers/promises'

export const random = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Reply {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

/** A call with an idempotency key and the answer that the platform gave: from then on it may not be otherwise. */
export interface Acknowledged {
  readonly path: string
  readonly token: string
  readonly key: string
  readonly body: unknown
  readonly status: number
  readonly text: string
}

const CALL_TIMEOUT_MS = 15_000
const GIVE_UP_MS = 120_000

/** What a careful client is: it repeats what was not acknowledged with the same key, and notes every answer that should not be. */
export class Shop {
  readonly acknowledged: Acknowledged[] = []
  /** Answers that are neither what was asked nor "try again later". */
  readonly wrong: string[] = []
  unavailable = 0
  disconnected = 0

  constructor(readonly baseUrl: string) {}

  /** Resolves when `count` more calls were acknowledged: what was killed works again, however slow the machine. Throws after `GIVE_UP_MS`. */
  async answers(count: number): Promise<void> {
    const enough = this.acknowledged.length + count
    const deadline = Date.now() + GIVE_UP_MS
    while (this.acknowledged.length < enough) {
      if (Date.now() > deadline)
        throw new Error(`of ${count} calls, ${enough - this.acknowledged.length} not acknowledged in ${GIVE_UP_MS} ms`)
      await wait(20)
    }
  }

  /** Repeats until there is an answer other than "try again later". */
  async call(method: string, path: string, token?: string, body?: unknown, key?: string): Promise<Reply> {
    const deadline = Date.now() + GIVE_UP_MS
    for (;;) {
      const reply = await this.#attempt(method, path, token, body, key)
      if (reply && !this.#later(reply, method, path)) return reply
      if (Date.now() > deadline)
        throw new Error(`${method} ${path}: nothing but ${reply?.status ?? 'lost connections'} for ${GIVE_UP_MS} ms`)
      await wait(50 + Math.random() * 150)
    }
  }

  async post(path: string, token: string, key: string, body: unknown, statuses: readonly number[]): Promise<Record<string, unknown>> {
    const { status, text } = await this.call('POST', path, token, body, key)
    // A 400 is not kept with its key.
    if (status !== 400) this.acknowledged.push({ path, token, key, body, status, text })
    if (!statuses.includes(status)) this.wrong.push(`POST ${path}: ${status} ${text.slice(0, 500)}`)
    return JSON.parse(text) as Record<string, unknown>
  }

  async get<T>(path: string, token?: string): Promise<T> {
    const { status, text } = await this.call('GET', path, token)
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text.slice(0, 500)}`)
    return JSON.parse(text) as T
  }

  async token(sub: string, ...roles: readonly string[]): Promise<string> {
    const { text } = await this.call('POST', '/v1/dev/token', undefined, { sub, roles })
    return (JSON.parse(text) as { accessToken: string }).accessToken
  }

  #later({ status, headers, text }: Reply, method: string, path: string): boolean {
    const problem = headers.get('content-type')?.startsWith('application/problem+json') ?? false
    if (status >= 400 && !problem) this.wrong.push(`${method} ${path}: ${status} is no problem+json: ${text.slice(0, 200)}`)
    if (status === 503) {
      this.unavailable++
      return true
    }
    return status === 429 || (status === 409 && text.includes('idempotency-key-in-flight'))
  }

  async #attempt(method: string, path: string, token?: string, body?: unknown, key?: string): Promise<Reply | undefined> {
    const headers = new Headers()
    if (token) headers.set('authorization', `Bearer ${token}`)
    if (body !== undefined) headers.set('content-type', 'application/json')
    if (key) headers.set('idempotency-key', key)
    try {
      const signal = AbortSignal.timeout(CALL_TIMEOUT_MS)
      const json = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await fetch(`${this.baseUrl}${path}`, { method, headers, signal, ...json })
      return { status: response.status, text: await response.text(), headers: response.headers }
    } catch {
      this.disconnected++
      return undefined
    }
  }
}

export interface Placed {
  readonly orderId: string
  readonly customer: Customer
  readonly sku: string
  readonly quantity: number
}

export interface Customer {
  readonly id: string
  readonly token: string
  readonly walletId: string
  /** What was put in. */
  credited: bigint
}

const PRICE = 20_000
/** The wallet's part of a split, less than anything costs. */
export const SPLIT_PART = 5_000
const OPENING = 1_000_000
const ADDRESS = { name: 'Asha Rao', line1: '14 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' }

/** Customers who buy, add money, cancel and look, from several lanes at once, until told to stop. Every call is carried through to its answer. */
export class Traffic {
  readonly customers: Customer[] = []
  readonly received = new Map<string, number>()
  readonly placed: Placed[] = []
  #running = false
  #lanes: Promise<unknown> = Promise.resolve()
  #calls = 0

  constructor(
    readonly shop: Shop,
    private readonly random: () => number,
    private readonly runId: string,
  ) {}

  /** Of little enough units to sell out now and then, unless told. */
  async open(customers: number, skus: number, units = 40): Promise<void> {
    const merchant = await this.shop.token('merchant', 'merchant')
    for (let n = 0; n < skus; n++) {
      const sku = `${this.runId}-${n}`
      const price = { amount: String(PRICE), currency: 'INR' }
      const product = { title: 'Product', description: 'एक उत्पाद', category: 'audio', brand: 'boAt', price, gstRate: 18, hsn: '8518' }
      await this.shop.call('PUT', `/v1/products/${sku}`, merchant, product)
      await this.#receive(sku, units)
    }
    const support = await this.shop.token('support', 'support')
    for (let n = 0; n < customers; n++) {
      const id = `${this.runId}-c${n}`
      const wallet = await this.shop.post('/v1/wallets', support, `${id}-open`, { ownerId: id, kyc: 'full' }, [201])
      const customer = { id, token: await this.shop.token(id, 'customer'), walletId: String(wallet['walletId']), credited: 0n }
      this.customers.push(customer)
      await this.#credit(customer, OPENING)
    }
  }

  start(lanes: number): void {
    this.#running = true
    this.#lanes = Promise.all(Array.from({ length: lanes }, () => this.#lane()))
    this.#lanes.catch(() => undefined)
  }

  /** Orders only, so many a second whatever the answers take. */
  pace(perSecond: number): void {
    this.#running = true
    const began = performance.now()
    const order = async (): Promise<void> => {
      await this.#order().catch((error: Error) => this.shop.wrong.push(error.message))
    }
    this.#lanes = (async () => {
      const sent: Promise<void>[] = []
      while (this.#running) {
        await wait(Math.max(0, began + (sent.length * 1_000) / perSecond - performance.now()))
        sent.push(order())
      }
      await Promise.all(sent)
    })()
  }

  /** Resolves when every call under way has its answer. */
  async stop(): Promise<void> {
    this.#running = false
    await this.#lanes
  }

  async #lane(): Promise<void> {
    while (this.#running) {
      const dice = this.random()
      if (dice < 0.6) await this.#order()
      else if (dice < 0.75) await this.#credit(this.#pick(this.customers), 100 + Math.floor(this.random() * 5_000))
      else if (dice < 0.85) await this.#cancel()
      else if (dice < 0.9) await this.#receive(this.#pick([...this.received.keys()]), 1 + Math.floor(this.random() * 10))
      else await this.#look()
      await wait(20 + this.random() * 80)
    }
  }

  async #order(): Promise<void> {
    const customer = this.#pick(this.customers)
    const sku = this.#pick([...this.received.keys()])
    const quantity = 1 + Math.floor(this.random() * 3)
    const payment = this.#pick([
      { method: 'wallet', walletId: customer.walletId },
      { method: 'wallet', walletId: customer.walletId },
      { method: 'upi', vpa: 'success@upi' },
      { method: 'upi', vpa: 'lost@upi' },
      { method: 'upi', vpa: 'decline@upi' },
      { method: 'upi', vpa: 'timeout@upi' },
      { method: 'upi', vpa: 'late@upi' },
      { method: 'card', token: 'tok_success' },
      { method: 'card', token: 'tok_lost' },
      { method: 'netbanking', bankCode: 'SBOX_SUCCESS' },
      { method: 'netbanking', bankCode: 'SBOX_DECLINE' },
      {
        method: 'split',
        walletId: customer.walletId,
        amount: { amount: String(SPLIT_PART), currency: 'INR' },
        other: this.#pick([
          { method: 'upi', vpa: 'success@upi' },
          { method: 'card', token: 'tok_lost' },
          { method: 'netbanking', bankCode: 'SBOX_DECLINE' },
        ]),
      },
      { method: 'cod' },
    ])
    const body = { items: [{ sku, quantity }], shippingAddress: ADDRESS, payment }
    const order = await this.shop.post('/v1/orders', customer.token, this.#key('order'), body, [201])
    this.placed.push({ orderId: String(order['orderId']), customer, sku, quantity })
  }

  async #credit(customer: Customer, amount: number): Promise<void> {
    const support = await this.shop.token('support', 'support')
    const body = { amount: { amount: String(amount), currency: 'INR' }, reference: 'chaos' }
    await this.shop.post(`/v1/wallets/${customer.walletId}/credits`, support, this.#key('credit'), body, [201])
    customer.credited += BigInt(amount)
  }

  async #cancel(): Promise<void> {
    if (this.placed.length === 0) return
    const { orderId, customer } = this.#pick(this.placed)
    // 409: it is cancelled already.
    await this.shop.post(`/v1/orders/${orderId}/cancel`, customer.token, this.#key('cancel'), { reason: 'changed my mind' }, [200, 409])
  }

  async #receive(sku: string, received: number): Promise<void> {
    const merchant = await this.shop.token('merchant', 'merchant')
    await this.shop.post(`/v1/products/${sku}/stock`, merchant, this.#key('stock'), { received }, [200])
    this.received.set(sku, (this.received.get(sku) ?? 0) + received)
  }

  async #look(): Promise<void> {
    if (this.placed.length === 0) return
    const { orderId, customer } = this.#pick(this.placed)
    const { status, text } = await this.shop.call('GET', `/v1/orders/${orderId}`, customer.token)
    // 404: the read model follows, and was not asked to be so new.
    if (status !== 404 && (status !== 200 || (JSON.parse(text) as { orderId: string }).orderId !== orderId))
      this.shop.wrong.push(`GET /v1/orders/${orderId}: ${status} ${text.slice(0, 300)}`)
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!
  }

  #key(what: string): string {
    return `${this.runId}-${what}-${++this.#calls}`
  }
}
