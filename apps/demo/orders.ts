import { setTimeout as wait } from 'node:timers/promises'
import type { DemoProduct } from './catalogue.js'
import { inParallel, type Client } from './client.js'
import { addressOf, isPoor, type Customer } from './customers.js'

/** Who buys: one of the customers, one whose wallet is all but empty, or somebody never seen before. */
type Buyer = 'known' | 'poor' | 'new'

export interface Plan {
  /** `upi, paid too late`: what the table of outcomes calls it. */
  readonly name: string
  readonly payment: (walletId: string) => object
  /** How many of a hundred orders. */
  readonly weight: number
  /** How it must end: order status and, where cancelled, why. */
  readonly ends: string
  readonly by?: Buyer
  readonly cancel?: 'at once' | 'when confirmed'
  /** Asks for what is not there. */
  readonly scarce?: true
  /** So many of the dearest product instead of a basket. */
  readonly dear?: number
  /** What the person at the fraud desk decides. */
  readonly review?: 'approve' | 'decline'
  /** The customer is sent to the bank's page, and pays there. */
  readonly page?: true
  /** The money arrives when nobody waits for it any more, and must go back. */
  readonly late?: true
}

const upi = (vpa: string) => () => ({ method: 'upi', vpa })
const card = (token: string) => () => ({ method: 'card', token })
const bank = (bankCode: string) => () => ({ method: 'netbanking', bankCode })
const wallet = (walletId: string) => ({ method: 'wallet', walletId })
const cod = () => ({ method: 'cod' })

const DECLINED = 'CANCELLED payment-declined'
const EXPIRED = 'CANCELLED payment-expired'
const FRAUD = 'CANCELLED fraud-declined'

export const PLANS: readonly Plan[] = [
  { name: 'wallet', payment: wallet, weight: 18, ends: 'CONFIRMED' },
  { name: 'wallet, too little money', payment: wallet, weight: 4, ends: DECLINED, by: 'poor' },
  { name: 'upi', payment: upi('success@upi'), weight: 12, ends: 'CONFIRMED' },
  { name: 'upi, slow', payment: upi('slow@upi'), weight: 4, ends: 'CONFIRMED' },
  { name: 'upi, answer lost', payment: upi('lost@upi'), weight: 3, ends: 'CONFIRMED' },
  { name: 'upi, declined', payment: upi('decline@upi'), weight: 4, ends: DECLINED },
  { name: 'upi, nobody’s id', payment: upi('nobody@upi'), weight: 1, ends: DECLINED },
  { name: 'upi, no answer', payment: upi('timeout@upi'), weight: 3, ends: EXPIRED },
  { name: 'upi, paid too late', payment: upi('late@upi'), weight: 3, ends: EXPIRED, late: true },
  { name: 'card', payment: card('tok_success'), weight: 8, ends: 'CONFIRMED' },
  { name: 'card, answer lost', payment: card('tok_lost'), weight: 3, ends: 'CONFIRMED' },
  { name: 'card, declined', payment: card('tok_decline'), weight: 4, ends: DECLINED },
  { name: 'card, no answer', payment: card('tok_timeout'), weight: 3, ends: EXPIRED },
  {
    name: 'card, reviewed and approved',
    payment: card('tok_success'),
    weight: 1,
    ends: 'CONFIRMED',
    by: 'new',
    dear: 5,
    review: 'approve',
  },
  { name: 'card, reviewed and refused', payment: card('tok_success'), weight: 1, ends: FRAUD, by: 'new', dear: 5, review: 'decline' },
  { name: 'card, outrageous', payment: card('tok_success'), weight: 1, ends: FRAUD, by: 'new', dear: 25 },
  { name: 'net banking', payment: bank('SBOX_SUCCESS'), weight: 4, ends: 'CONFIRMED' },
  { name: 'net banking, at the bank’s page', payment: bank('SBOX_REDIRECT'), weight: 1, ends: 'CONFIRMED', page: true },
  { name: 'net banking, declined', payment: bank('SBOX_DECLINE'), weight: 2, ends: DECLINED },
  { name: 'cash on delivery', payment: cod, weight: 8, ends: 'CONFIRMED' },
  { name: 'out of stock', payment: upi('success@upi'), weight: 4, ends: 'CANCELLED out-of-stock', scarce: true },
  { name: 'cancelled at once', payment: wallet, weight: 4, ends: 'CANCELLED customer', cancel: 'at once' },
  { name: 'cancelled when confirmed', payment: upi('success@upi'), weight: 4, ends: 'CANCELLED customer', cancel: 'when confirmed' },
]

export interface OrderResult {
  readonly plan: Plan
  readonly orderId: string
  readonly customerId: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  readonly end: string
  readonly grandTotal: bigint
  readonly authorised: bigint
  readonly captured: bigint
  readonly refunded: bigint
  readonly method: string
  readonly sagaStatus: string
  readonly toPlaced_ms: number
  readonly toEnd_ms: number
}

interface OrderBody {
  readonly orderId: string
  readonly status: string
  readonly cancellation?: { readonly reason: string }
  readonly totals: { readonly grandTotal: { readonly amount: string } }
}

interface PaymentBody {
  readonly status: string
  readonly method: string
  readonly authorised: { readonly amount: string }
  readonly captured: { readonly amount: string }
  readonly refunded: { readonly amount: string }
  readonly next?: { readonly kind: string; readonly url: string }
}

const END_TIMEOUT_MS = 90_000
const LANE_WAITS_MS = 1_000
const LONGEST_PAUSE_MS = 1_000

export interface OrderRun {
  readonly client: Client
  readonly customers: readonly Customer[]
  readonly products: readonly DemoProduct[]
  readonly scarce: DemoProduct
  readonly dear: DemoProduct
  readonly count: number
  readonly width: number
  readonly runId: string
  /** Of the person at the fraud desk. */
  readonly riskToken: string
  readonly random: () => number
  onEnd(result: OrderResult): void
}

/** Places `count` orders, each by the plan that its turn gives, and follows each to its end. */
export const runOrders = (run: OrderRun): Promise<readonly OrderResult[]> => {
  const plans = planned(run.count)
  const following: Promise<OrderResult>[] = []
  // A lane waits for its order, so that the platform is asked for no more than it gives; but some end only when a payment's window is over,
  // and those are left to be followed beside the next.
  return inParallel(plans, run.width, async (plan, index) => {
    const placed = await place(run, plan, index)
    following.push(placed.end)
    const bound = new AbortController()
    await Promise.race([placed.end, wait(LANE_WAITS_MS, undefined, { signal: bound.signal })])
    bound.abort()
  }).then(() => Promise.all(following))
}

/** Every plan once, the rest by weight. */
export const planned = (count: number): readonly Plan[] => {
  const total = PLANS.reduce((sum, { weight }) => sum + weight, 0)
  const plans = PLANS.slice(0, count)
  for (const plan of PLANS) for (let n = 1; n < Math.floor((plan.weight * count) / total) && plans.length < count; n++) plans.push(plan)
  for (let n = 0; plans.length < count; n++) plans.push(PLANS[n % PLANS.length] as Plan)
  // Spread evenly: neighbours are of different plans.
  return plans
    .map((plan, index) => ({ plan, at: (index * 7_919) % plans.length }))
    .sort((a, b) => a.at - b.at)
    .map(({ plan }) => plan)
}

const place = async (run: OrderRun, plan: Plan, index: number): Promise<{ end: Promise<OrderResult> }> => {
  const customer = await buyerOf(run, plan, index)
  const items = itemsOf(run, plan)
  const { body, headers, took_ms } = await run.client.expect<OrderBody>([201], 'POST', '/v1/orders', {
    token: customer.token,
    key: `${run.runId}-order-${index}`,
    body: {
      items,
      shippingAddress: customer.address,
      payment: plan.payment(customer.walletId),
      device: { id: `phone-${customer.customerId}` },
    },
  })
  const placed_ms = performance.now()
  const order: PlacedOrder = { run, plan, index, customer, orderId: body.orderId, consistency: headers.get('consistency-token') ?? '' }
  if (plan.cancel === 'at once') await cancel(order)
  const end = follow(order).then((ended): OrderResult => {
    const { orderId } = body
    const times = { toPlaced_ms: took_ms, toEnd_ms: performance.now() - placed_ms }
    const result = { ...ended, ...times, plan, orderId, customerId: customer.customerId, items }
    run.onEnd(result)
    return result
  })
  // Looked at later, all together; until then a rejection is not unhandled.
  end.catch(() => undefined)
  return { end }
}

const buyerOf = async ({ client, customers, runId }: OrderRun, { by = 'known' }: Plan, index: number): Promise<Customer> => {
  if (by === 'new') {
    const customerId = `${runId}-new-${index}`
    const token = await client.token(customerId, 'customer')
    return { customerId, token, walletId: '', funds_paise: 0n, address: addressOf(customers.length + index) }
  }
  const suited = customers.filter((customer) => isPoor(customer) === (by === 'poor'))
  const buyer = suited[index % suited.length]
  if (!buyer) throw new Error(`there is no ${by} customer`)
  return buyer
}

/** Baskets cost from 1,000.00 to 2,900.00, so that nobody's next order is out of proportion to the last: fraud scoring would notice. */
const LEAST_BASKET_PAISE = 100_000n
const DEAREST_IN_BASKET_PAISE = 190_000n

const itemsOf = ({ products, scarce, dear, random }: OrderRun, plan: Plan) => {
  if (plan.scarce) return [{ sku: scarce.sku, quantity: 1 }]
  if (plan.dear) return [{ sku: dear.sku, quantity: plan.dear }]
  const affordable = products.filter(({ price }) => BigInt(price.amount) <= DEAREST_IN_BASKET_PAISE)
  const basket = new Map<string, number>()
  for (let total = 0n; total < LEAST_BASKET_PAISE;) {
    const product = affordable[Math.floor(random() * affordable.length)]
    if (!product) throw new Error('the catalogue has nothing affordable')
    basket.set(product.sku, (basket.get(product.sku) ?? 0) + 1)
    total += BigInt(product.price.amount)
  }
  return [...basket].map(([sku, quantity]) => ({ sku, quantity }))
}

interface PlacedOrder {
  readonly run: OrderRun
  readonly plan: Plan
  readonly index: number
  readonly customer: Customer
  readonly orderId: string
  readonly consistency: string
}

const cancel = ({ run, index, customer, orderId }: PlacedOrder): Promise<unknown> =>
  run.client.expect([200], 'POST', `/v1/orders/${orderId}/cancel`, {
    token: customer.token,
    key: `${run.runId}-cancel-${index}`,
    body: { reason: 'changed my mind' },
  })

/** As the person at the fraud desk: finds the order's alert among the open ones and decides it. False while it is not there yet. */
const decideAlert = async ({ run, index, orderId }: PlacedOrder, decision: 'approve' | 'decline'): Promise<boolean> => {
  const token = run.riskToken
  let path = '/v1/fraud/alerts?status=open&limit=100'
  for (let page = 0; page < 50; page++) {
    const { body } = await run.client.expect<AlertList>([200], 'GET', path, { token })
    const alert = body.items.find((each) => each.orderId === orderId)
    if (alert) {
      const note = decision === 'approve' ? 'The customer answered the phone.' : 'The number does not exist.'
      const key = `${run.runId}-alert-${index}`
      await run.client.expect([200], 'POST', `/v1/fraud/alerts/${alert.alertId}/decision`, { token, key, body: { decision, note } })
      return true
    }
    if (body.nextCursor === null) return false
    path = `/v1/fraud/alerts?status=open&limit=100&cursor=${encodeURIComponent(body.nextCursor)}`
  }
  return false
}

const PAGE_TIMEOUT_MS = 10_000

/** As the customer's browser: presses Pay at the page where the payment sends them. False while it sends them nowhere yet. */
const payAtPage = async ({ run, customer, orderId, consistency }: PlacedOrder): Promise<boolean> => {
  const path = `/v1/orders/${orderId}/payment`
  const { body } = await run.client.expect<PaymentBody>([200], 'GET', path, { token: customer.token, consistency })
  if (body.next?.kind !== 'redirect') return false
  const form = new URLSearchParams({ decision: 'pay' })
  const signal = AbortSignal.timeout(PAGE_TIMEOUT_MS)
  const pressed = await fetch(body.next.url, { method: 'POST', body: form, redirect: 'manual', signal })
  if (pressed.status !== 303) throw new Error(`the bank's page ${body.next.url} answered ${pressed.status}`)
  return true
}

interface AlertList {
  readonly items: readonly { readonly alertId: string; readonly orderId: string }[]
  readonly nextCursor: string | null
}

const ENDED: ReadonlySet<string> = new Set(['COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION'])

type Ended = Pick<OrderResult, 'end' | 'grandTotal' | 'authorised' | 'captured' | 'refunded' | 'method' | 'sagaStatus'>

/** Until the order stands where it stays and its saga has ended. One that does not is a result too: the report shows it. */
const follow = async (order: PlacedOrder): Promise<Ended> => {
  const { run, plan, customer, orderId, consistency } = order
  const deadline = performance.now() + END_TIMEOUT_MS
  let cancelled = plan.cancel !== 'when confirmed'
  let reviewed = plan.review === undefined
  let paid = plan.page === undefined
  let pause_ms = 20
  for (;;) {
    const { body } = await run.client.expect<OrderBody>([200], 'GET', `/v1/orders/${orderId}`, { token: customer.token, consistency })
    if (body.status === 'CONFIRMED' && !cancelled) {
      cancelled = true
      await cancel(order)
      continue
    }
    if (body.status === 'UNDER_REVIEW' && plan.review && !reviewed) reviewed = await decideAlert(order, plan.review)
    if (!paid) paid = await payAtPage(order)
    const late = performance.now() > deadline
    if (late || (cancelled && (body.status === 'CONFIRMED' || body.status === 'CANCELLED'))) {
      const path = `/v1/orders/${orderId}/payment`
      const payment = await run.client.expect<PaymentBody>([200], 'GET', path, { token: customer.token, consistency })
      if (late || (ENDED.has(payment.body.status) && settled(plan, body, payment.body)))
        return { ...endedAs(body, payment.body), ...(late ? { end: `not ended: ${body.status}` } : {}) }
    }
    await wait(pause_ms)
    pause_ms = Math.min(pause_ms * 1.3, LONGEST_PAUSE_MS)
  }
}

const endedAs = (order: OrderBody, payment: PaymentBody): Ended => ({
  end: order.cancellation ? `${order.status} ${order.cancellation.reason}` : order.status,
  grandTotal: BigInt(order.totals.grandTotal.amount),
  authorised: BigInt(payment.authorised.amount),
  captured: BigInt(payment.captured.amount),
  refunded: BigInt(payment.refunded.amount),
  method: payment.method,
  sagaStatus: payment.status,
})

/** A late payment and a cancellation after confirmation end with the money back. */
const settled = (plan: Plan, order: OrderBody, payment: PaymentBody): boolean => {
  if (payment.status === 'NEEDS_ATTENTION') return true
  if (plan.cancel === 'when confirmed' && order.status === 'CONFIRMED') return false
  if (order.status === 'CANCELLED' && payment.captured.amount !== payment.refunded.amount) return false
  return !plan.late || payment.refunded.amount !== '0'
}
