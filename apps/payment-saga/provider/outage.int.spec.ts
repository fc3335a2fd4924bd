import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { OrderPlaced } from '#contracts'
import { paise, systemIds, ZERO } from '#kernel'
import { Metrics } from '#platform'
import { sagaIdFor, statusOf, type Activity } from '#saga'
import { SagaBench } from '#saga/testing'
import { fetch as undiciFetch } from 'undici'
import { routes } from '../messages/routes.js'
import { sagaDefinitions } from '../sagas/definitions.js'
import { REFUND_REQUESTED } from '../sagas/order-payment.js'
import { amountsOf, type OrderPayment } from '../sagas/payment-data.js'
import { paymentKey } from '../sagas/provider-part.js'
import { ORDER_PAYMENT } from '../sagas/saga-types.js'
import { Books } from '../testing/books.js'
import { startStubProvider, type StubProvider } from '../testing/stub-provider.js'
import { paymentActivities } from './activities.js'
import { Bulkhead } from './bulkhead.js'
import { CircuitBreaker } from './circuit-breaker.js'
import { ProviderHttp } from './http.js'
import { watchProvider } from './metrics.js'
import { SandboxProvider } from './sandbox/provider.js'

const WINDOW_MS = 300_000
const MINUTE_MS = 60_000
const DOWN_FROM_MS = 60_000
const DOWN_FOR_MS = 10 * MINUTE_MS
/** Nobody works when the provider comes back: what is due meanwhile has to stand in line. */
const PAUSED_MS = MINUTE_MS
/** An order every ten seconds, before, during and after. */
const ORDERS = 80
const EVERY_MS = 10_000

const clock: { now: () => number } = { now: () => 0 }
let stub: StubProvider
beforeAll(async () => {
  stub = await startStubProvider(WINDOW_MS, { now: () => clock.now(), sleep: () => Promise.resolve() })
})
afterAll(() => stub.close())

it('a provider that is down for ten minutes is spared, and then everything that waited is made up for, what was due longest first', async () => {
  const [downFrom, downUntil] = [() => begin + DOWN_FROM_MS, () => begin + DOWN_FROM_MS + DOWN_FOR_MS]
  const down = () => clock.now() >= downFrom() && clock.now() < downUntil()
  const tried: number[] = []
  const http = new ProviderHttp({
    url: stub.url,
    headers: {},
    clock: { now: () => clock.now() },
    timeout_ms: { authorise: 5_000, find: 5_000, change: 5_000, report: 5_000 },
    bulkhead: new Bulkhead(64),
    breaker: new CircuitBreaker({ now: () => clock.now() }, { window_ms: 60_000, calls: 10, share: 0.5, rest_ms: 2_000 }),
    fetch: async (url, init) => {
      if (!down()) return undiciFetch(url, init)
      tried.push(clock.now())
      throw new TypeError('fetch failed')
    },
  })
  const metrics = new Metrics('payment-saga')
  watchProvider(metrics, http)
  const states: string[] = []
  const sample = async () => {
    const { text } = await metrics.exposition(undefined)
    const state = /provider_circuit\{state="([a-z-]+)",app="payment-saga"\} 1/.exec(text)?.[1] ?? 'none'
    if (states.at(-1) !== state) states.push(state)
  }
  /** What waited when the provider was back, and when each was due; then in the order in which they were run. */
  const due = new Map<string, number>()
  const drained: number[] = []
  const provider = new SandboxProvider(http)
  const activities = Object.fromEntries(
    Object.entries(paymentActivities({ provider, sealed: { openAll: async () => ['tok_success'] }, settle_ms: 9_000 })).map(
      ([name, activity]): [string, Activity] => [
        name,
        async (run, signal) => {
          const since = due.get(run.key)
          if (since !== undefined) {
            due.delete(run.key)
            drained.push(since)
          }
          await sample()
          const outcome = await activity(run, signal)
          await sample()
          return outcome
        },
      ],
    ),
  )
  const books = new Map<string, Books>()
  const bench = new SagaBench({
    definitions: sagaDefinitions({ UPI_WINDOW_SECONDS: WINDOW_MS / 1_000, REVIEW_WAIT_SECONDS: 90_000 }),
    routes,
    activities,
    answer: (message) => books.get(String(message.data['orderId'] ?? message.data['reference']))?.answer(message) ?? 'lost',
  })
  clock.now = () => bench.clock.now()
  const begin = bench.clock.now()
  const orders = Array.from({ length: ORDERS }, () => systemIds.next())
  const context = { correlationId: 'outage', causationId: 'test' }
  for (const [nth, orderId] of orders.entries()) {
    books.set(orderId, new Books())
    const payment = { method: 'card' as const, instrument: { subject: 'c-1', nonce: 'n', ciphertext: 'c' } }
    bench.later(nth * EVERY_MS, () =>
      bench.deliver(OrderPlaced.message(orderId, { ...OrderPlaced.example, orderId, payment }, context), orderId),
    )
  }
  // What was paid before is given back while the provider is away.
  const before = orders.slice(0, DOWN_FROM_MS / EVERY_MS)
  for (const [nth, orderId] of before.entries())
    bench.later(DOWN_FROM_MS + (nth + 1) * 7_000, async () => {
      const sagaId = sagaIdFor(ORDER_PAYMENT, orderId)
      const body = { refundId: systemIds.next(), at: new Date(clock.now()).toISOString(), amount: '500' }
      await bench.apply({ kind: 'message', id: `refund ${orderId}`, sagaId, context, name: REFUND_REQUESTED, body })
    })
  bench.later(DOWN_FROM_MS + DOWN_FOR_MS, async () => {
    for (const { name, dueAt, run } of bench.store.tasks()) if (run) due.set(name, dueAt)
    bench.clock.advance(PAUSED_MS)
  })
  await bench.run(undefined, 20_000)

  const data = await Promise.all(
    orders.map(async (orderId) => {
      const saga = await bench.state(sagaIdFor(ORDER_PAYMENT, orderId))
      const { captured, refunded } = amountsOf(saga.data as unknown as OrderPayment)
      const theirs = stub.payment(paymentKey(saga.id))?.payment
      return { status: statusOf(saga), order: books.get(orderId)?.order, captured, refunded, theirs }
    }),
  )
  // All ended, and both books agree: confirmed and taken, or undone with nothing taken.
  for (const { status, order, captured, refunded, theirs } of data) {
    expect([status, order]).toEqual(order === 'CONFIRMED' ? ['COMPLETED', 'CONFIRMED'] : ['COMPENSATED', 'CANCELLED'])
    expect([theirs?.captured ?? ZERO, theirs?.refunded ?? ZERO]).toEqual([captured, refunded])
    expect(captured === ZERO).toBe(order === 'CANCELLED')
  }
  expect([bench.store.tasks(), bench.errors]).toEqual([[], []])
  expect(data.slice(0, before.length).map(({ refunded }) => refunded)).toEqual(before.map(() => paise(500)))
  // Some waited longer than a payment may; whoever came in the last minutes, and after, has paid.
  const confirmed = data.filter(({ order }) => order === 'CONFIRMED').length
  expect([confirmed > before.length, confirmed < ORDERS]).toEqual([true, true])
  expect(data.slice(-10).every(({ order }) => order === 'CONFIRMED')).toBe(true)
  // It was spared: a try each rest at most, and not one for every run.
  const most = 10 + DOWN_FOR_MS / 2_000
  expect([tried.length > 20, tried.length <= most]).toEqual([true, true])
  // Closed, open, then tried again and again, and closed for good; each seen by who scrapes.
  expect([states[0], states[1], states.at(-1)]).toEqual(['closed', 'open', 'closed'])
  expect(states.filter((state) => state === 'half-open').length).toBeGreaterThan(5)
  expect(states.slice(1, -2).includes('closed')).toBe(false)
  // In order: of what was due when somebody worked again, what was due longest went first; and nothing was left behind.
  const inLine = drained.slice(0, drained.filter((since) => since <= downUntil() + PAUSED_MS).length)
  expect(inLine.length).toBeGreaterThan(20)
  expect(inLine).toEqual(inLine.toSorted((a, b) => a - b))
  expect(due.size).toBe(0)
})
