import { setTimeout as wait } from 'node:timers/promises'
import { SPLIT_PART, type Customer, type Placed, type Shop, type Traffic } from './traffic.js'

interface Money {
  readonly amount: string
}
interface OrderBody {
  readonly orderId: string
  readonly status: string
  readonly totals: { readonly grandTotal: Money }
}
interface PaymentBody {
  readonly status: string
  readonly method: string
  readonly captured: Money
  readonly refunded: Money
}

interface Ended extends Placed {
  readonly order: OrderBody
  readonly payment: PaymentBody
}

const END_TIMEOUT_MS = 90_000

/** Everything that must hold when the traffic has stopped, by what the API says; answers what does not. */
export const audit = async ({ shop, customers, placed, received }: Traffic): Promise<readonly string[]> => {
  const cancelled = cancellationsOf(shop)
  const ended = await each(placed, (order) => untilEnded(shop, order, cancelled.has(order.orderId)))
  const findings = [
    ...shop.wrong,
    ...ended.flatMap(moneyOf),
    ...(await replays(shop)),
    ...(await orders(shop, customers, placed)),
    ...(await wallets(shop, customers, ended)),
    ...(await stock(shop, received, ended)),
  ]
  return findings
}

const AT_ONCE = 16

const each = async <T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  const left = items.entries()
  const lane = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return results
}

/** Orders whose cancellation was acknowledged. The read model may show them confirmed for a moment yet. */
const cancellationsOf = ({ acknowledged }: Shop): ReadonlySet<string> =>
  new Set(acknowledged.flatMap(({ path, status }) => (status === 200 ? (/^\/v1\/orders\/([^/]+)\/cancel$/.exec(path)?.[1] ?? []) : [])))

const untilEnded = async (shop: Shop, placed: Placed, cancelled: boolean): Promise<Ended> => {
  const deadline = Date.now() + END_TIMEOUT_MS
  for (;;) {
    const path = `/v1/orders/${placed.orderId}`
    const order = await shop.call('GET', path, placed.customer.token)
    const payment = await shop.call('GET', `${path}/payment`, placed.customer.token)
    if (order.status === 200 && payment.status === 200) {
      const ended = { ...placed, order: JSON.parse(order.text) as OrderBody, payment: JSON.parse(payment.text) as PaymentBody }
      if (isEnded(ended, cancelled)) return ended
    }
    const due = cancelled ? 'was acknowledged as cancelled, and has not ended so' : 'has not ended'
    if (Date.now() > deadline) throw new Error(`${path} ${due}: ${order.status} ${order.text}\n${payment.status} ${payment.text}`)
    await wait(100)
  }
}

const isEnded = ({ order, payment }: Ended, cancelled: boolean): boolean => {
  if (!['COMPLETED', 'COMPENSATED'].includes(payment.status)) return false
  if (order.status === 'CONFIRMED') return !cancelled
  // What a late payment or a cancellation after the capture brought in goes back by a saga of its own.
  return order.status === 'CANCELLED' && payment.captured.amount === payment.refunded.amount
}

const moneyOf = ({ order, payment }: Ended): string[] => {
  if (order.status !== 'CONFIRMED') return []
  const due = payment.method === 'cod' ? '0' : order.totals.grandTotal.amount
  if (payment.captured.amount === due && payment.refunded.amount === '0') return []
  return [`${order.orderId}: confirmed for ${due}, captured ${payment.captured.amount}, refunded ${payment.refunded.amount}`]
}

/** What a payment took from its customer's wallet. An order that is not confirmed has given all of it back. */
const spentOf = ({ order, payment }: Ended): bigint => {
  if (payment.method === 'split') return order.status === 'CONFIRMED' ? BigInt(SPLIT_PART) : 0n
  return payment.method === 'wallet' ? BigInt(payment.captured.amount) - BigInt(payment.refunded.amount) : 0n
}

/** Sagas of the whole platform that have not ended when all had time to: refunds and cancellations have some of their own. */
export const openSagas = async (shop: Shop): Promise<string[]> => {
  const support = await shop.token('support', 'support')
  const deadline = Date.now() + END_TIMEOUT_MS
  const open: string[] = []
  for (const status of ['RUNNING', 'WAITING', 'COMPENSATING', 'NEEDS_ATTENTION'])
    for (;;) {
      const { items } = await shop.get<{ items: readonly { sagaId: string; type: string }[] }>(
        `/v1/sagas?status=${status}&limit=100`,
        support,
      )
      if (items.length === 0) break
      if (Date.now() > deadline) {
        open.push(`sagas are ${status}: ${items.map(({ type, sagaId }) => `${type} ${sagaId}`).join(', ')}`)
        break
      }
      await wait(100)
    }
  return open
}

/** The same key again gives the acknowledged answer again, byte for byte: it was kept, and was one. */
export const replays = async (shop: Shop): Promise<string[]> => {
  const findings = await each(shop.acknowledged, async ({ path, token, key, body, status, text }) => {
    const again = await shop.call('POST', path, token, body, key)
    if (again.status !== status || again.text !== text)
      return [`${key}: acknowledged ${status} ${text.slice(0, 200)}, now ${again.status} ${again.text.slice(0, 200)}`]
    return again.headers.get('idempotency-replayed') === 'true' ? [] : [`${key}: done again instead of replayed`]
  })
  return findings.flat()
}

/** Each customer has the orders that were acknowledged, and no others. */
const orders = async (shop: Shop, customers: readonly Customer[], placed: readonly Placed[]): Promise<string[]> => {
  const findings: string[] = []
  for (const customer of customers) {
    const listed: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const path: string = `/v1/orders?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`
      const page: { items: readonly OrderBody[]; nextCursor: string | null } = await shop.get(path, customer.token)
      listed.push(...page.items.map(({ orderId }) => orderId))
      cursor = page.nextCursor
    }
    const expected = placed.filter((order) => order.customer === customer).map(({ orderId }) => orderId)
    if (new Set(expected).size !== expected.length) findings.push(`${customer.id}: two keys gave one order`)
    if (listed.toSorted().join() !== expected.toSorted().join())
      findings.push(`${customer.id}: ${listed.length} orders are listed, ${expected.length} were acknowledged`)
  }
  return findings
}

const wallets = async (shop: Shop, customers: readonly Customer[], ended: readonly Ended[]): Promise<string[]> => {
  const auditor = await shop.token('auditor', 'auditor')
  const findings: string[] = []
  for (const { id, walletId, credited } of customers) {
    const spent = ended.filter(({ customer }) => customer.walletId === walletId).reduce((sum, each) => sum + spentOf(each), 0n)
    const wallet = await shop.get<{ balance: Money; held: Money }>(`/v1/wallets/${walletId}`, auditor)
    if (BigInt(wallet.balance.amount) !== credited - spent)
      findings.push(`${id}: credited ${credited}, spent ${spent}, balance ${wallet.balance.amount}`)
    if (wallet.held.amount !== '0') findings.push(`${id}: ${wallet.held.amount} is still held`)
    const verified = await shop.get<{ ok: boolean }>(`/v1/wallets/${walletId}/verify`, auditor)
    if (!verified.ok) findings.push(`${id}: does not verify: ${JSON.stringify(verified)}`)
  }
  return findings
}

const stock = async (shop: Shop, received: ReadonlyMap<string, number>, ended: readonly Ended[]): Promise<string[]> => {
  const findings: string[] = []
  for (const [sku, units] of received) {
    const sold = ended
      .filter((each) => each.sku === sku && each.order.status === 'CONFIRMED')
      .reduce((sum, { quantity }) => sum + quantity, 0)
    let available = Number.NaN
    // The release of a cancelled order's units comes by message.
    for (let attempt = 0; attempt < 200 && available !== units - sold; attempt++) {
      if (attempt > 0) await wait(100)
      available = (await shop.get<{ available: number }>(`/v1/products/${sku}`)).available
    }
    if (available !== units - sold) findings.push(`${sku}: received ${units}, sold ${sold}, available ${available}`)
  }
  return findings
}
