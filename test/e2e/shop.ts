import { randomUUID } from 'node:crypto'

/** What the end-to-end specs say to the platform: HTTP and nothing else. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body; `{}` when there is none. */
  readonly body: Readonly<Record<string, never>> & { readonly [name: string]: unknown }
}

export interface Options {
  readonly token?: string
  readonly body?: unknown
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const baseUrl = (): string => {
  const url = process.env['BAHI_E2E_URL']
  if (!url) throw new Error('BAHI_E2E_URL is not set: run the suite through `npm test -- e2e`')
  return url
}

export const call = async (method: string, path: string, { token, body, key, headers }: Options = {}): Promise<Answer> => {
  const response = await fetch(`${baseUrl()}${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key ? { 'idempotency-key': key } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    // Two thousand at once wait for each other.
    signal: AbortSignal.timeout(180_000),
  })
  const text = await response.text()
  const json = response.headers.get('content-type')?.includes('json') && text !== ''
  return { status: response.status, headers: response.headers, text, body: (json ? JSON.parse(text) : {}) as Answer['body'] }
}

/** The value at a path of the body, `totals.grandTotal.amount`, as text. */
export const at = (answer: Answer, path: string): string | undefined => {
  let value: unknown = answer.body
  for (const name of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[name]
  return value === undefined || value === null ? undefined : String(value)
}

/** Seldom once it takes long: many that wait at once would keep busy what they wait for. */
const POLL_MS = { first: 25, most: 250 }

/** Calls until the answer satisfies `until`; fails with the last answer after `timeout_ms`. */
export const poll = async (ask: () => Promise<Answer>, until: (answer: Answer) => boolean, timeout_ms = 60_000): Promise<Answer> => {
  const deadline = Date.now() + timeout_ms
  for (let pause_ms = POLL_MS.first; ; pause_ms = Math.min(2 * pause_ms, POLL_MS.most)) {
    const answer = await ask()
    if (until(answer)) return answer
    if (Date.now() > deadline)
      throw new Error(`not reached within ${timeout_ms} ms; the last answer was ${answer.status} ${answer.text.slice(0, 2_000)}`)
    await new Promise((resolve) => setTimeout(resolve, pause_ms))
  }
}

export const token = async (sub: string, ...roles: string[]): Promise<string> => {
  const answer = await call('POST', '/v1/dev/token', { body: { sub, roles } })
  if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.text}`)
  return String(answer.body['accessToken'])
}

const staff = new Map<string, Promise<string>>()
/** A token of a role that sees or moves more than its own. */
export const staffToken = (role: 'merchant' | 'support' | 'risk' | 'auditor' | 'admin' | 'service'): Promise<string> => {
  const known = staff.get(role) ?? token(`e2e-${role}`, role)
  staff.set(role, known)
  return known
}

export const inr = (paise: number | bigint): { amount: string; currency: string } => ({ amount: String(paise), currency: 'INR' })
export const newSku = (): string => `SKU-${randomUUID().slice(0, 13).toUpperCase()}`
export const newKey = (): string => randomUUID()
export const newCustomerId = (): string => `c-${randomUUID().slice(0, 13)}`

export const ADDRESS = { name: 'Asha Rao', line1: '14 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' }

/** A product with stock; answers its sku. */
export const makeProduct = async ({
  price = 10_000,
  stock = 100,
  sku = newSku(),
}: { price?: number; stock?: number; sku?: string } = {}): Promise<string> => {
  const merchant = await staffToken('merchant')
  const product = {
    title: `Product ${sku}`,
    description: 'एक उत्पाद',
    category: 'audio',
    brand: 'boAt',
    price: inr(price),
    gstRate: 18,
    hsn: '8518',
  }
  const put = await call('PUT', `/v1/products/${sku}`, { token: merchant, body: product })
  if (put.status !== 201) throw new Error(`product: ${put.status} ${put.text}`)
  if (stock > 0) {
    const received = await call('POST', `/v1/products/${sku}/stock`, { token: merchant, key: newKey(), body: { received: stock } })
    if (received.status !== 200) throw new Error(`stock: ${received.status} ${received.text}`)
  }
  return sku
}

export interface Customer {
  readonly id: string
  readonly token: string
}

export const makeCustomer = async (): Promise<Customer> => {
  const id = newCustomerId()
  return { id, token: await token(id, 'customer') }
}

/** A full-KYC wallet with money in it; answers its id. */
export const makeWallet = async ({ id }: Customer, funds: number): Promise<string> => {
  const support = await staffToken('support')
  const opened = await call('POST', '/v1/wallets', { token: support, key: newKey(), body: { ownerId: id, kyc: 'full' } })
  if (opened.status !== 201) throw new Error(`wallet: ${opened.status} ${opened.text}`)
  const walletId = String(opened.body['walletId'])
  if (funds > 0) {
    const credited = await call('POST', `/v1/wallets/${walletId}/credits`, {
      token: support,
      key: newKey(),
      body: { amount: inr(funds), reference: 'e2e' },
    })
    if (credited.status !== 201) throw new Error(`credit: ${credited.status} ${credited.text}`)
  }
  return walletId
}

export const orderBody = (items: readonly { sku: string; quantity: number }[], payment: object) => ({
  items,
  shippingAddress: ADDRESS,
  payment,
})

export const placeOrder = (customer: Customer, sku: string, payment: object, quantity = 1, key = newKey()): Promise<Answer> =>
  call('POST', '/v1/orders', { token: customer.token, key, body: orderBody([{ sku, quantity }], payment) })

export const getOrder = (customer: Customer, orderId: string): Promise<Answer> =>
  call('GET', `/v1/orders/${orderId}`, { token: customer.token })

export const getPayment = (customer: Customer, orderId: string): Promise<Answer> =>
  call('GET', `/v1/orders/${orderId}/payment`, { token: customer.token })

/**
 * A read with the token of a change. While what it speaks of has not arrived a read waits, and answers 503 where that takes long: then to ask
 * again, as a client would, is all that there is to do. What it never answers is what was before.
 */
export const readAfter = (change: Answer, path: string, token?: string): Promise<Answer> => {
  const consistency = change.headers.get('consistency-token')
  if (consistency === null) throw new Error(`without a token: ${change.status} ${change.text}`)
  const options = { ...(token && { token }), headers: { 'consistency-token': consistency } }
  return poll(
    () => call('GET', path, options),
    ({ status }) => status !== 503,
  )
}

export const available = async (sku: string): Promise<number> => Number((await call('GET', `/v1/products/${sku}`)).body['available'])

/** Both the order and its payment, when the order has `status` and the payment's saga `sagaStatus`. */
export const ended = async (
  customer: Customer,
  placed: Answer,
  status: string,
  sagaStatus: string,
  timeout_ms?: number,
): Promise<{ order: Answer; payment: Answer }> => {
  if (placed.status !== 201) throw new Error(`the order was not placed: ${placed.status} ${placed.text}`)
  const orderId = String(placed.body['orderId'])
  const payment = await poll(
    () => getPayment(customer, orderId),
    (answer) => answer.body['status'] === sagaStatus,
    timeout_ms,
  )
  const order = await poll(
    () => getOrder(customer, orderId),
    (answer) => answer.body['status'] === status,
    timeout_ms,
  )
  return { order, payment }
}
