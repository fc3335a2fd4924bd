import { setTimeout as wait } from 'node:timers/promises'
import type { DemoProduct } from './catalogue.js'
import { inParallel, type Client } from './client.js'
import type { Customer } from './customers.js'

export interface Plan {
  /** `upi late`: what the table of outcomes calls it. */
  readonly name: string
  readonly payment: (customer: Customer) => object
  /** How many of a hundred orders. */
  readonly weight: number
  /** How it must end: order status and, where cancelled, why. */
  readonly ends: readonly string[]
  readonly cancel?: 'at once' | 'when confirmed'
  /** Asks for more than there is. */
  readonly scarce?: true
  readonly poor?: true
}

const upi = (vpa: string) => () => ({ method: 'upi', vpa })
const card = (token: string) => () => ({ method: 'card', token })
const wallet = ({ walletId }: Customer) => ({ method: 'wallet', walletId })

export const PLANS: readonly Plan[] = [
  { name: 'wallet', payment: wallet, weight: 24, ends: ['CONFIRMED'] },
  { name: 'wallet, too little money', payment: wallet, weight: 4, ends: ['CANCELLED payment-declined'], poor: true },
  { name: 'upi', payment: upi('success@upi'), weight: 14, ends: ['CONFIRMED'] },
  { name: 'upi, slow', payment: upi('slow@upi'), weight: 4, ends: ['CONFIRMED'] },
  { name: 'upi, answer lost', payment: upi('lost@upi'), weight: 3, ends: ['CONFIRMED'] },
  { name: 'upi, declined', payment: upi('decline@upi'), weight: 4, ends: ['CANCELLED payment-declined'] },
  { name: 'upi, no answer', payment: upi('timeout@upi'), weight: 3, ends: ['CANCELLED payment-expired'] },
  { name: 'upi, paid too late', payment: upi('late@upi'), weight: 3, ends: ['CANCELLED payment-expired'] },
  { name: 'card', payment: card('tok_success'), weight: 10, ends: ['CONFIRMED'] },
  { name: 'card, answer lost', payment: card('tok_lost'), weight: 3, ends: ['CONFIRMED'] },
  { name: 'card, declined', payment: card('tok_decline'), weight: 4, ends: ['CANCELLED payment-declined'] },
  { name: 'card, no answer', payment: card('tok_timeout'), weight: 3, ends: ['CANCELLED payment-expired'] },
  { name: 'cash on delivery', payment: () => ({ method: 'cod' }), weight: 9, ends: ['CONFIRMED'] },
  { name: 'out of stock', payment: upi('success@upi'), weight: 4, ends: ['CANCELLED out-of-stock'], scarce: true },
  { name: 'cancelled at once', payment: wallet, weight: 4, ends: ['CANCELLED customer'], cancel: 'at once' },
  { name: 'cancelled when confirmed', payment: upi('success@upi'), weight: 4, ends: ['CANCELLED customer'], cancel: 'when confirmed' },
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
}

const ADDRESS = { name: 'Asha Rao', line1: '14 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' }
const END_TIMEOUT_MS = 180_000

export interface OrderRun {
  readonly client: Client
  readonly customers: readonly Customer[]
  readonly products: readonly DemoProduct[]
  readonly scarce: DemoProduct
  readonly dear: DemoProduct
  readonly count: number
  readonly width: number
  readonly runId: string
  readonly random: () => number
  onEnd(result: OrderResult): void
}

/** Places `count` orders, each by the plan that its turn gives, and follows each to its end. */
export const runOrders = (run: OrderRun): Promise<readonly OrderResult[]> => {
  const plans = planned(run.count)
  const following: Promise<OrderResult>[] = []
  // A slow end must not hold back the orders behind it: placing is bounded by `width`, following is not.
  return inParallel(plans, run.width, async (plan, index) => {
    const placed = await place(run, plan, index)
    following.push(placed.end)
  }).then(() => Promise.all(following))
}

/** Every plan at least once, the rest by weight. */
const planned = (count: number): readonly Plan[] => {
  const total = PLANS.reduce((sum, { weight }) => sum + weight, 0)
  const plans: Plan[] = []
  for (const plan of PLANS)
    for (let n = 0; n < Math.max(1, Math.floor((plan.weight * count) / total)) && plans.length < count; n++) plans.push(plan)
  while (plans.length < count) plans.push(PLANS[plans.length % 3] as Plan)
  // Spread evenly: neighbours are of different plans.
  return plans
    .map((plan, index) => ({ plan, at: (index * 7_919) % plans.length }))
    .sort((a, b) => a.at - b.at)
    .map(({ plan }) => plan)
}

const place = async (run: OrderRun, plan: Plan, index: number): Promise<{ end: Promise<OrderResult> }> => {
  const customer = run.customers[index % run.customers.length] as Customer
  const items = itemsOf(run, plan)
  const { status, body, headers, took_ms } = await run.client.expect<OrderBody>([201], 'POST', '/v1/orders', {
    token: customer.token,
    key: `${run.runId}-order-${index}`,
    body: { items, shippingAddress: ADDRESS, payment: plan.payment(customer), device: { id: `phone-${customer.customerId}` } },
  })
  if (status !== 201) throw new Error('not placed')
  const placed_ms = performance.now()
  const cancel = (): Promise<unknown> =>
    run.client.expect([200], 'POST', `/v1/orders/${body.orderId}/cancel`, {
      token: customer.token,
      key: `${run.runId}-cancel-${index}`,
      body: { reason: 'changed my mind' },
    })
  if (plan.cancel === 'at once') await cancel()
  const end = follow(run, plan, customer, body, headers.get('consistency-token') ?? '', cancel).then((ended): OrderResult => {
    const result = {
      ...ended,
      plan,
      orderId: body.orderId,
      customerId: customer.customerId,
      items,
      toPlaced_ms: took_ms,
      toEnd_ms: performance.now() - placed_ms,
    }
    run.onEnd(result)
    return result
  })
  // Looked at later, all together; until then a rejection is not unhandled.
  end.catch(() => undefined)
  return { end }
}

const itemsOf = ({ products, scarce, dear, random }: OrderRun, { scarce: wantsScarce, poor }: Plan) => {
  if (wantsScarce) return [{ sku: scarce.sku, quantity: 1 }]
  if (poor) return [{ sku: dear.sku, quantity: 1 }]
  const cheap = products.filter(({ price }) => BigInt(price.amount) <= 60_000n)
  const first = cheap[Math.floor(random() * cheap.length)] as DemoProduct
  const second = cheap[Math.floor(random() * cheap.length)] as DemoProduct
  const one = { sku: first.sku, quantity: 1 + Math.floor(random() * 2) }
  return second.sku === first.sku ? [one] : [one, { sku: second.sku, quantity: 1 }]
}

const ENDED: ReadonlySet<string> = new Set(['COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION'])

type Ended = Pick<OrderResult, 'end' | 'grandTotal' | 'authorised' | 'captured' | 'refunded' | 'method' | 'sagaStatus'>

/** Until the order stands where it stays and its saga has ended. */
const follow = async (
  run: OrderRun,
  plan: Plan,
  customer: Customer,
  order: OrderBody,
  consistency: string,
  cancel: () => Promise<unknown>,
): Promise<Ended> => {
  const deadline = performance.now() + END_TIMEOUT_MS
  let cancelled = plan.cancel !== 'when confirmed'
  let pause_ms = 20
  for (;;) {
    const { body } = await run.client.expect<OrderBody>([200], 'GET', `/v1/orders/${order.orderId}`, { token: customer.token, consistency })
    if (body.status === 'CONFIRMED' && !cancelled) {
      cancelled = true
      await cancel()
      continue
    }
    if (body.status === 'CONFIRMED' || body.status === 'CANCELLED') {
      const payment = await run.client.call<PaymentBody>('GET', `/v1/orders/${order.orderId}/payment`, {
        token: customer.token,
        consistency,
      })
      if (payment.status === 200 && ENDED.has(payment.body.status) && settled(plan, body, payment.body)) {
        return {
          end: body.cancellation ? `${body.status} ${body.cancellation.reason}` : body.status,
          grandTotal: BigInt(body.totals.grandTotal.amount),
          authorised: BigInt(payment.body.authorised.amount),
          captured: BigInt(payment.body.captured.amount),
          refunded: BigInt(payment.body.refunded.amount),
          method: payment.body.method,
          sagaStatus: payment.body.status,
        }
      }
    }
    if (performance.now() > deadline)
      throw new Error(`order ${order.orderId} (${plan.name}) has not ended after ${END_TIMEOUT_MS / 1_000} s: ${body.status}`)
    await wait(pause_ms)
    pause_ms = Math.min(pause_ms * 1.3, 500)
  }
}

/** A late payment and a cancellation after confirmation end with the money back. */
const settled = (plan: Plan, order: OrderBody, payment: PaymentBody): boolean => {
  if (payment.status === 'NEEDS_ATTENTION') return true
  if (order.status === 'CANCELLED' && payment.captured.amount !== payment.refunded.amount) return false
  return plan.name !== 'upi, paid too late' || payment.refunded.amount !== '0'
}
