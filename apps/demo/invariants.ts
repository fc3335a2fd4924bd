import type { DemoProduct } from './catalogue.js'
import { inParallel, type Client } from './client.js'
import type { Customer } from './customers.js'
import type { OrderResult } from './orders.js'

export interface Invariant {
  readonly name: string
  readonly ok: boolean
  /** What was counted, or what is wrong. */
  readonly detail: string
}

interface Sources {
  readonly client: Client
  readonly runId: string
  readonly customers: readonly Customer[]
  readonly products: readonly DemoProduct[]
  readonly availableBefore: ReadonlyMap<string, number>
  readonly results: readonly OrderResult[]
  readonly width: number
}

/** What must hold when all orders have ended, by what the API says and nothing else. */
export const checkInvariants = async (sources: Sources): Promise<readonly Invariant[]> => {
  const auditor = await sources.client.token(`${sources.runId}-auditor`, 'auditor')
  return [
    expectedEnds(sources),
    paymentsAddUp(sources),
    await walletsAddUp(sources, auditor),
    await booksBalance(sources, auditor),
    await stockAddsUp(sources),
    await sagasEnded(sources, auditor),
  ]
}

const expectedEnds = ({ results }: Sources): Invariant => {
  const wrong = results.filter(({ plan, end }) => plan.ends !== end)
  return invariant(
    'every order ended as its instrument says',
    wrong.length === 0,
    `${results.length} orders`,
    wrong.map(({ orderId, plan, end }) => `${orderId} (${plan.name}): ${end}`),
  )
}

const paymentsAddUp = ({ results }: Sources): Invariant => {
  const wrong = results.filter(({ end, method, grandTotal, captured, refunded }) => {
    if (end !== 'CONFIRMED') return captured !== refunded
    return refunded !== 0n || captured !== (method === 'cod' ? 0n : grandTotal)
  })
  const sum = results.reduce((total, { captured, refunded }) => total + captured - refunded, 0n)
  return invariant(
    'money: confirmed is captured in full, cancelled is kept by nobody',
    wrong.length === 0,
    `${rupees(sum)} kept`,
    wrong.map(({ orderId, end, captured, refunded }) => `${orderId} (${end}): captured ${captured}, refunded ${refunded}`),
  )
}

const walletsAddUp = async ({ client, customers, results, width }: Sources, auditor: string): Promise<Invariant> => {
  const wrong: string[] = []
  await inParallel(customers, width, async ({ customerId, walletId, token, funds_paise }) => {
    const spent = results
      .filter((result) => result.customerId === customerId && result.method === 'wallet')
      .reduce((sum, { captured, refunded }) => sum + captured - refunded, 0n)
    const wallet = await client.expect<{ balance: { amount: string }; held: { amount: string } }>([200], 'GET', `/v1/wallets/${walletId}`, {
      token,
    })
    if (BigInt(wallet.body.balance.amount) !== funds_paise - spent)
      wrong.push(`${walletId}: balance ${wallet.body.balance.amount}, expected ${funds_paise - spent}`)
    if (wallet.body.held.amount !== '0') wrong.push(`${walletId}: ${wallet.body.held.amount} still held`)
    const verified = await client.expect<{ ok: boolean }>([200], 'GET', `/v1/wallets/${walletId}/verify`, { token: auditor })
    if (!verified.body.ok) wrong.push(`${walletId}: its hash chain or its fold does not verify`)
  })
  return invariant(
    'wallets: what came in less what was spent, nothing held, hash chains verify',
    wrong.length === 0,
    `${customers.length} wallets`,
    wrong,
  )
}

interface TrialBalance {
  readonly accounts: readonly object[]
  readonly total: { readonly amount: string }
  readonly countedEvents: number
}

/** Over every wallet of the platform, not the demo's alone. */
const booksBalance = async ({ client }: Sources, auditor: string): Promise<Invariant> => {
  const { body } = await client.expect<TrialBalance>([200], 'GET', '/v1/wallets/trial-balance', { token: auditor })
  const { accounts, total, countedEvents } = body
  const counted = `${accounts.length} accounts, ${countedEvents} events`
  return invariant('money is conserved: the trial balance is zero', total.amount === '0' && countedEvents > 0, counted, [
    `${counted}: ${total.amount} paise`,
  ])
}

const stockAddsUp = async ({ client, products, availableBefore, results, width }: Sources): Promise<Invariant> => {
  const taken = new Map<string, number>()
  for (const { end, items } of results)
    if (end === 'CONFIRMED') for (const { sku, quantity } of items) taken.set(sku, (taken.get(sku) ?? 0) + quantity)
  const wrong: string[] = []
  await inParallel(products, width, async ({ sku }) => {
    const expected = (availableBefore.get(sku) ?? 0) - (taken.get(sku) ?? 0)
    // The read model follows: it is given a moment.
    let available = Number.NaN
    for (let attempt = 0; attempt < 50 && available !== expected; attempt++) {
      if (attempt > 0) await client.pause(100)
      available = (await client.expect<{ available: number }>([200], 'GET', `/v1/products/${sku}`)).body.available
    }
    if (available !== expected) wrong.push(`${sku}: ${available} available, expected ${expected}`)
  })
  const units = [...taken.values()].reduce((sum, n) => sum + n, 0)
  return invariant(
    'stock: what was there less what was confirmed',
    wrong.length === 0,
    `${units} units of ${products.length} products`,
    wrong,
  )
}

const ENDED: ReadonlySet<string> = new Set(['COMPLETED', 'COMPENSATED'])

/** How long the demo's last sagas are given to end. */
const SAGA_CHECKS = 100
const SAGA_CHECKS_APART_MS = 100

/** Of the demo's orders alone: others may be buying on the same platform, and theirs go on. */
const sagasEnded = async ({ client, results }: Sources, auditor: string): Promise<Invariant> => {
  const orders = new Set(results.map(({ orderId }) => orderId))
  const wrong = results.filter(({ sagaStatus }) => !ENDED.has(sagaStatus)).map(({ orderId, sagaStatus }) => `${orderId}: ${sagaStatus}`)
  let open = await sagasNotEnded(client, orders, auditor)
  for (let check = 1; check < SAGA_CHECKS && open.length > 0; check++) {
    await client.pause(SAGA_CHECKS_APART_MS)
    open = await sagasNotEnded(client, orders, auditor)
  }
  wrong.push(...open.map(({ sagaId, status, correlationKey }) => `saga ${sagaId} of order ${correlationKey} is ${status}`))
  return invariant('every saga ended', wrong.length === 0, `${results.length} orders`, wrong)
}

interface Saga {
  readonly sagaId: string
  readonly status: string
  readonly correlationKey: string
}

interface SagaList {
  readonly items: readonly Saga[]
  readonly nextCursor: string | null
}

const MOST_PAGES = 200

const sagasNotEnded = async (client: Client, orders: ReadonlySet<string>, token: string): Promise<readonly Saga[]> => {
  const found: Saga[] = []
  for (const status of ['RUNNING', 'WAITING', 'COMPENSATING', 'NEEDS_ATTENTION']) {
    let path = `/v1/sagas?status=${status}&limit=100`
    for (let page = 1; ; page++) {
      const { body } = await client.expect<SagaList>([200], 'GET', path, { token })
      found.push(...body.items.filter(({ correlationKey }) => orders.has(correlationKey)))
      if (body.nextCursor === null) break
      if (page === MOST_PAGES) throw new Error(`more than ${MOST_PAGES * 100} sagas are ${status}: the demo's cannot be told from them`)
      path = `/v1/sagas?status=${status}&limit=100&cursor=${encodeURIComponent(body.nextCursor)}`
    }
  }
  return found
}

const SHOWN = 5

const invariant = (name: string, ok: boolean, counted: string, wrong: readonly string[]): Invariant => ({
  name,
  ok,
  detail: ok ? counted : `${wrong.slice(0, SHOWN).join('; ')}${wrong.length > SHOWN ? `; and ${wrong.length - SHOWN} more` : ''}`,
})

const rupees = (paise: bigint): string => `₹${new Intl.NumberFormat('en-IN').format(paise / 100n)}`
