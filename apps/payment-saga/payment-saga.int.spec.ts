import { eventually } from '#kernel/testing'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { AlertDecided, OrderCancelled, OrderDelivered, OrderReturned } from '#contracts'
import type { Events } from '#event-store'
import { ConsistencyToken, Cursor } from '#platform'
import type { Transactions } from '#kernel'
import { sagaIdFor, type SagaInstance, type SagaStore } from '#saga'
import { createHmac, randomUUID } from 'node:crypto'
import { paymentKey } from './sagas/provider-part.js'
import { SAGAS, STORE, TRANSACTIONS } from './tokens.js'
import { startTestPayments, WEBHOOK_SECRET, type Order, type TestPayments } from './testing/test-payments.js'

let payments: TestPayments
beforeAll(async () => {
  // What is to be done before it is over is to be done on a busy machine too.
  payments = await startTestPayments(10)
})
afterAll(() => payments.close())

const money = (amount: string) => ({ amount, currency: 'INR' })
const AMOUNT = '299800'
const read = async ({ orderId }: Order) => (await payments.call('GET', `/v1/orders/${orderId}/payment`)).body as Record<string, unknown>

/** Polls until the payment looks like this; the last look is what the failure shows. */
const until = async (order: Order, wanted: object, tries = 1_500) => {
  let seen: unknown
  for (let left = tries; left > 0; left--) {
    seen = await read(order)
    try {
      expect(seen).toMatchObject(wanted)
      return seen
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  expect(seen).toMatchObject(wanted)
  return seen
}

/** What a scrape shows of a metric, by its labels. */
const scraped = async (name: string): Promise<ReadonlyMap<string, number>> => {
  const { body } = await payments.app.inject({ url: '/metrics' })
  return new Map(
    [...body.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, 'gm'))].map(([, labels = '', value]) => [labels, Number(value)]),
  )
}

const paid = { status: 'COMPLETED', amount: money(AMOUNT), captured: money(AMOUNT), refunded: money('0') }
const context = ({ orderId }: Order) => ({ correlationId: orderId, causationId: 'test' })

const PAID: readonly (readonly [string, string | undefined])[] = [
  ['wallet', undefined],
  ['upi', 'success@upi'],
  ['upi', 'slow@upi'],
  ['upi', 'lost@upi'],
  ['card', 'tok_success'],
  ['card', 'tok_lost'],
  ['netbanking', 'SBOX_SUCCESS'],
]

const UNDONE: readonly (readonly [string, string | undefined, Parameters<TestPayments['place']>[1], string, string])[] = [
  ['upi', 'decline@upi', {}, 'payment-declined', '0'],
  ['upi', 'timeout@upi', {}, 'payment-expired', '0'],
  ['upi', 'late@upi', {}, 'payment-expired', AMOUNT],
  ['card', 'tok_decline', {}, 'payment-declined', '0'],
  ['wallet', undefined, { funds: 'none' }, 'payment-declined', '0'],
  ['wallet', undefined, { stock: 'none' }, 'out-of-stock', '0'],
  ['wallet', undefined, { fraud: 'decline' }, 'fraud-declined', '0'],
]

describe('payments', () => {
  const placed = new Map<unknown, Order>()
  const orderOf = (one: unknown): Order => {
    const order = placed.get(one)
    if (!order) throw new Error('not placed')
    return order
  }
  // All at once: what takes a window each takes one window together.
  beforeAll(async () => {
    for (const each of [...PAID, ...UNDONE]) {
      const [method, instrument, world] = each
      placed.set(each, await payments.place({ method, ...(instrument === undefined ? {} : { instrument }) }, world))
    }
  })

  it.each(PAID.map((each) => [...each, each] as const))('%s %s is paid and confirmed', async (_, __, each) => {
    const order = orderOf(each)
    await until(order, paid)
    expect(order.books).toMatchObject({ order: 'CONFIRMED', reserved: 1 })
  })

  it('are asked for once, also where somebody calls the payer back while the provider is being asked', async () => {
    const asked = () => payments.provider.requests.filter((request) => request === 'POST /v1/payments').length
    for (const each of [...PAID, ...UNDONE]) await until(orderOf(each), { status: expect.stringMatching(/^COMP/) })
    const before = asked()
    const letGo = payments.provider.hold()
    const bank = { method: 'netbanking', instrument: 'SBOX_SUCCESS' }
    const order = await payments.place(bank)
    await eventually('it is asked for', async () => asked() > before)
    expect(await payments.call('GET', `/v1/payments/${sagaIdFor('order-payment', order.orderId)}/callback`)).toMatchObject({ status: 200 })
    // Whatever is due by then is begun with the next one.
    const next = await payments.place(bank)
    const nextKey = paymentKey(sagaIdFor('order-payment', next.orderId))
    await eventually('the next is asked for', async () => payments.provider.payment(nextKey) !== undefined)
    letGo()
    for (const each of [order, next]) await until(each, paid)
    expect(asked() - before).toBe(2)
  })

  it('are divided into payable, commission and its GST, and shown by day to merchants and auditors alone', async () => {
    for (const each of PAID) await until(orderOf(each), paid)
    const today = new Date(Date.now() + 5.5 * 3_600_000).toISOString().slice(0, 10)
    const path = `/v1/settlements/${today}`
    const merchant = { as: ['m-1', 'merchant'] as const }
    type Line = Record<'collected' | 'commission' | 'payable', { amount: string }> & { orderId: string; kind: string }
    const linesOf = async () => ((await payments.call('GET', `${path}?limit=100`, merchant)).body as { items: Line[] }).items
    const orderIds = PAID.map((each) => orderOf(each).orderId)
    await eventually('all are booked', async () => {
      const booked = new Set((await linesOf()).map(({ orderId }) => orderId))
      return orderIds.every((orderId) => booked.has(orderId))
    })
    const line = (await linesOf()).find(({ orderId }) => orderId === orderIds[0])
    // 2% of 2,998.00, and 18% of that in two halves.
    expect(line).toMatchObject({
      kind: 'capture',
      collected: money(AMOUNT),
      commission: money('5996'),
      commissionGst: { cgst: money('539'), sgst: money('540') },
      payable: money('292725'),
    })
    const first = (await payments.call('GET', `${path}?limit=1`, merchant)).body as { nextCursor: string; items: Line[] }
    const second = (await payments.call('GET', `${path}?limit=1&cursor=${first.nextCursor}`, merchant)).body as { items: Line[] }
    expect(second.items[0]?.orderId).not.toBe(first.items[0]?.orderId)
    expect((await payments.call('GET', path, { as: ['c-1', 'customer'] })).status).toBe(403)
    expect((await payments.call('GET', '/v1/settlements/2026-02-30', merchant)).status).toBe(404)
    expect((await payments.call('GET', `${path}?cursor=x`, merchant)).status).toBe(400)
  })

  it('cash on delivery is confirmed with nothing taken', async () => {
    const order = await payments.place({ method: 'cod' })
    await until(order, { status: 'COMPLETED', captured: money('0') })
    expect(order.books.order).toBe('CONFIRMED')
  })

  it.each(UNDONE.map((each) => [...each, each] as const))('%s %s is undone: %o %s', async (_, __, ___, reason, taken, each) => {
    const order = orderOf(each)
    await until(order, { status: 'COMPENSATED', captured: money(taken), refunded: money(taken) })
    expect(order.books).toMatchObject({ order: 'CANCELLED', reason, reserved: 0 })
  })

  it('a reviewed order goes on when a person approves it, also after a restart', async () => {
    const order = await payments.place({ method: 'wallet' }, { fraud: 'review' })
    await until(order, { status: 'WAITING' })
    await payments.restart()
    const decided = { ...AlertDecided.example, orderId: order.orderId, decision: 'approve' as const }
    await payments.publish(AlertDecided.message(order.orderId, decided, context(order)))
    await until(order, paid)
  })

  it('a cancelled order is refunded, and its payment says so', async () => {
    const order = await payments.place({ method: 'card', instrument: 'tok_success' })
    await until(order, paid)
    const cancelled = { ...OrderCancelled.example, orderId: order.orderId, wasConfirmed: true }
    await payments.publish(OrderCancelled.message(order.orderId, cancelled, context(order)))
    await until(order, { status: 'COMPLETED', captured: money(AMOUNT), refunded: money(AMOUNT) })
    expect(payments.provider.payment(paymentKey(sagaIdFor('order-payment', order.orderId)))?.look()).toMatchObject({ refunded: 299800n })
    // The relay and the other books follow the saga's commit.
    await eventually('the stock is back', () => order.books.reserved === 0)
    await eventually(
      'the payment says so',
      () => payments.changes.findLast(({ orderId }) => orderId === order.orderId)?.refunded === AMOUNT,
    )
  })
})

describe('refunds', () => {
  const give = (
    paymentId: string,
    body: object,
    key = randomUUID(),
    as: readonly [string, 'merchant' | 'customer'] = ['m-1', 'merchant'],
  ) => payments.call('POST', `/v1/payments/${paymentId}/refunds`, { as, body, headers: { 'idempotency-key': key } })
  const reason = 'a test'
  const atProvider = ({ orderId }: Order) => payments.provider.payment(paymentKey(sagaIdFor('order-payment', orderId)))?.look()

  it('are partial and many, never more than was captured however many race, and once per key', async () => {
    const order = await payments.place({ method: 'card', instrument: 'tok_success' })
    await until(order, paid)
    const paymentId = sagaIdFor('order-payment', order.orderId)
    const key = randomUUID()
    const first = await give(paymentId, { amount: money('100000'), reason }, key)
    expect(first).toMatchObject({ status: 201, body: { paymentId, orderId: order.orderId, amount: money('100000'), status: 'PENDING' } })
    expect(await give(paymentId, { amount: money('100000'), reason }, key)).toMatchObject({ status: 201, body: first.body })
    expect(await give(paymentId, { amount: money('299800'), reason })).toMatchObject({
      status: 422,
      body: { type: '/problems/refund-too-large' },
    })
    // Ten at once for what is enough for six.
    const answers = await Promise.all(Array.from({ length: 10 }, () => give(paymentId, { amount: money('30000'), reason })))
    expect(answers.filter(({ status }) => status === 201).length).toBe(6)
    await until(order, { refunded: money('280000') })
    expect(await give(paymentId, { reason })).toMatchObject({ status: 201, body: { amount: money('19800') } })
    await until(order, { status: 'COMPLETED', captured: money(AMOUNT), refunded: money(AMOUNT) })
    expect(await give(paymentId, { reason })).toMatchObject({ status: 422, body: { type: '/problems/nothing-to-refund' } })
    expect(atProvider(order)).toMatchObject({ captured: 299800n, refunded: 299800n })
    const listed = await payments.call('GET', `/v1/payments/${paymentId}/refunds`)
    expect((listed.body as { items: object[] }).items).toHaveLength(8)
    await eventually('the world knows', () => payments.changes.findLast(({ orderId }) => orderId === order.orderId)?.refunded === AMOUNT)
  })

  it('of a split go back to where the money came from, and race a cancellation', async () => {
    const order = await payments.place({ method: 'split', instrument: 'success@upi' })
    await until(order, paid)
    const paymentId = sagaIdFor('order-payment', order.orderId)
    const cancelled = { ...OrderCancelled.example, orderId: order.orderId, wasConfirmed: true }
    const [refund] = await Promise.all([
      give(paymentId, { amount: money('250000'), reason }),
      payments.publish(OrderCancelled.message(order.orderId, cancelled, context(order))),
    ])
    expect([201, 422]).toContain(refund.status)
    await until(order, { captured: money(AMOUNT), refunded: money(AMOUNT) })
    expect(atProvider(order)).toMatchObject({ captured: 199800n, refunded: 199800n })
    await eventually('the wallet has its part back', () => order.books.walletRefunds === 100000n)
    expect(await give(paymentId, { reason })).toMatchObject({ status: 422 })
  })

  it('are for merchants and support, of a payment that is complete', async () => {
    const order = await payments.place({ method: 'wallet' }, { fraud: 'review' })
    await until(order, { status: 'WAITING' })
    const paymentId = sagaIdFor('order-payment', order.orderId)
    expect((await give(paymentId, { reason })).status).toBe(409)
    expect((await give(paymentId, { reason }, randomUUID(), ['c-1', 'customer'])).status).toBe(403)
    expect((await give(paymentId, {})).status).toBe(400)
    expect((await give(paymentId, { amount: money('0'), reason })).status).toBe(400)
    expect((await give(randomUUID(), { reason })).status).toBe(404)
    const unkeyed = await payments.call('POST', `/v1/payments/${paymentId}/refunds`, { as: ['m-1', 'merchant'], body: { reason } })
    expect(unkeyed.status).toBe(400)
  })

  it('of a return are what came back; cash is paid out by a person', async () => {
    const order = await payments.place({ method: 'cod' })
    await until(order, { status: 'COMPLETED', captured: money('0') })
    const { orderId } = order
    const delivered = { ...OrderDelivered.example, orderId, method: 'cod' as const, collected: AMOUNT }
    for (let times = 0; times < 2; times++) await payments.publish(OrderDelivered.message(orderId, delivered, context(order)))
    await until(order, { captured: money(AMOUNT), refunded: money('0') })
    const returned = { ...OrderReturned.example, orderId, method: 'cod' as const, refund: '149900' }
    for (let times = 0; times < 2; times++) await payments.publish(OrderReturned.message(orderId, returned, context(order)))
    const paymentId = sagaIdFor('order-payment', orderId)
    let refundId = ''
    await eventually('it is decided', async () => {
      const { body } = await payments.call('GET', `/v1/payments/${paymentId}/refunds`)
      refundId = (body as { items: { refundId: string }[] }).items[0]?.refundId ?? ''
      return refundId !== ''
    })
    const sagaId = sagaIdFor('payment-refund', refundId)
    await eventually('it waits for a person', async () => {
      const { body } = await payments.call('GET', `/v1/sagas/${sagaId}`)
      return (body as { status: string }).status === 'NEEDS_ATTENTION'
    })
    // What the alert SagaNeedsAttention reads.
    expect((await scraped('sagas')).get('type="payment-refund",status="NEEDS_ATTENTION",app="payment-saga"')).toBeGreaterThanOrEqual(1)
    const word = { step: 'pay-out-cash', outcome: 'succeeded', evidence: 'UTR 123' }
    const again = { step: 'pay-out-cash', reason: 'the courier says it was paid' }
    expect((await payments.call('POST', `/v1/sagas/${sagaId}/retry`, { as: ['s-1', 'support'], body: again })).status).toBe(200)
    await eventually('it waits again', async () => {
      const { body } = await payments.call('GET', `/v1/sagas/${sagaId}`)
      return (body as { status: string }).status === 'NEEDS_ATTENTION'
    })
    expect((await payments.call('POST', `/v1/sagas/${sagaId}/resume`, { as: ['s-1', 'support'], body: word })).status).toBe(200)
    await until(order, { captured: money(AMOUNT), refunded: money('149900') })
    const { body } = await payments.call('GET', `/v1/sagas/${sagaId}`)
    const { timeline, timelineCursor } = body as { timeline: Record<string, unknown>[]; timelineCursor: string | null }
    const [app, ops] = [{ by: 'app:payment-saga' }, { by: 's-1' }]
    const step = { step: 'pay-out-cash' }
    const due = { dueAt: expect.stringMatching(/^2.*Z$/) }
    const waits = [
      { type: 'StepExpired', ...app, ...step },
      { type: 'AttentionNeeded', ...app, ...step, side: 'do', detail: 'its time is over' },
      { type: 'TimerMoved', ...app },
    ]
    expect(timeline.map((shown) => ({ ...shown, at: undefined }))).toEqual([
      { type: 'SagaStarted', ...app },
      { type: 'StepStarted', ...app, ...step, side: 'do', ...due },
      ...waits,
      { type: 'OperatorActed', ...ops, ...step, action: 'retry', detail: 'the courier says it was paid' },
      { type: 'StepStarted', ...ops, ...step, side: 'do', ...due },
      ...waits,
      { type: 'OperatorActed', ...ops, ...step, action: 'resume', outcome: 'succeeded', evidence: 'UTR 123', detail: 'UTR 123' },
      { type: 'ActionSucceeded', ...ops, ...step, side: 'do' },
      { type: 'SagaCompleted', ...ops },
      { type: 'ToldSaga', ...ops, detail: 'payment-refunded' },
    ])
    expect(timelineCursor).toBeNull()
    const before = await payments.call('GET', `/v1/sagas/${sagaId}?cursor=${Cursor.encode(2)}`)
    expect(before.body).toMatchObject({ timeline: timeline.slice(0, 2), timelineCursor: null })
    expect((await payments.call('GET', `/v1/sagas/${sagaId}?cursor=${Cursor.encode('x')}`)).status).toBe(400)
  })
})

describe('two of the app on one database', () => {
  it('share the work, and what one leaves the other ends, once', async () => {
    const second = await payments.second()
    const kinds = [
      ['wallet', undefined],
      ['card', 'tok_success'],
      ['upi', 'lost@upi'],
      ['card', 'tok_decline'],
    ] as const
    const orders: (Order & { readonly end: string })[] = []
    for (let count = 0; count < 40; count++) {
      const [method, instrument] = kinds[count % kinds.length] ?? ['wallet', undefined]
      const order = await payments.place({ method, ...(instrument === undefined ? {} : { instrument }) })
      orders.push({ ...order, end: instrument === 'tok_decline' ? 'COMPENSATED' : 'COMPLETED' })
      if (count === 25) await second.close()
    }
    for (const order of orders) {
      await until(order, { status: order.end })
      const provided = payments.provider.payment(paymentKey(sagaIdFor('order-payment', order.orderId)))?.look()
      if (provided) expect(provided).toMatchObject({ captured: order.end === 'COMPLETED' ? 299800n : 0n, refunded: 0n })
      expect(order.books.order).toBe(order.end === 'COMPLETED' ? 'CONFIRMED' : 'CANCELLED')
    }
  })
})

describe('a release without a definition that a saga runs on', () => {
  it('does not start, and says which saga holds it', async () => {
    const saga = (status: SagaInstance['status']): SagaInstance => {
      const at = Date.now()
      const id = '0190a000-0000-7000-8000-00000000ffff'
      return { id, type: 'order-payment', definition: 99, correlationKey: 'o-99', status, version: 1, startedAt: at, updatedAt: at }
    }
    const sagas = payments.app.get<SagaStore>(SAGAS)
    const transactions = payments.app.get<Transactions>(TRANSACTIONS)
    const save = (instance: SagaInstance) =>
      transactions.run((tx) => sagas.save({ instances: [instance], tasks: [], removed: [], now: Date.now() }, tx))
    await save(saga('WAITING'))
    const second = payments.second()
    await expect(second.finally(() => save(saga('COMPLETED')))).rejects.toThrow(
      'saga definitions still in use are missing: order-payment v99 (1: 0190a000-0000-7000-8000-00000000ffff)',
    )
  })
})

describe('a saga that is under way for too long', () => {
  it.each(['RUNNING', 'COMPENSATING'] as const)(
    'shows its age to the alert SagaOld while it is %s, and no more once it ended',
    async (status) => {
      const id = randomUUID()
      const began = Date.now() - 3_600_000
      const saga = { id, type: 'order-payment', definition: 1, correlationKey: id, version: 1, startedAt: began, updatedAt: began }
      const sagas = payments.app.get<SagaStore>(SAGAS)
      const save = (now: SagaInstance['status']) =>
        payments.app
          .get<Transactions>(TRANSACTIONS)
          .run((tx) => sagas.save({ instances: [{ ...saga, status: now }], tasks: [], removed: [], now: Date.now() }, tx))
      const labels = (each: string) => `type="order-payment",status="${each}",app="payment-saga"`
      await save(status)
      expect((await scraped('saga_oldest_seconds')).get(labels(status))).toBeGreaterThanOrEqual(3_600)
      await save('COMPLETED')
      const ages = await scraped('saga_oldest_seconds')
      expect(ages.get(labels(status)) ?? 0).toBeLessThan(3_600)
      expect(ages.has(labels('COMPLETED'))).toBe(false)
    },
  )
})

describe('webhooks', () => {
  const webhook = (body: string, at_s = Math.floor(Date.now() / 1_000), secret = WEBHOOK_SECRET) => {
    const v1 = createHmac('sha256', secret).update(`${at_s}.${body}`).digest('hex')
    return payments.call('POST', '/v1/webhooks/sandbox', { body, headers: { 'x-sandbox-signature': `t=${at_s},v1=${v1}` } })
  }
  const eventOf = (idempotencyKey: string, type = 'payment.captured') =>
    JSON.stringify({ eventId: randomUUID(), type, paymentId: 'pp', idempotencyKey, amount: AMOUNT, at: new Date().toISOString() })

  it('settle a payment that the provider does not answer for, however often they come', async () => {
    const order = await payments.place({ method: 'upi', instrument: 'timeout@upi' })
    await until(order, { status: 'WAITING' })
    const body = eventOf(paymentKey(sagaIdFor('order-payment', order.orderId)))
    for (let times = 0; times < 3; times++) expect((await webhook(body)).status).toBe(200)
    await until(order, { status: 'COMPLETED', captured: money(AMOUNT) })
    expect(order.books.order).toBe('CONFIRMED')
  })

  it('are refused unsigned, signed by another, old, altered, malformed, or of nobody', async () => {
    const body = eventOf('x:authorise-payment')
    const now_s = Math.floor(Date.now() / 1_000)
    expect((await payments.call('POST', '/v1/webhooks/sandbox', { body })).status).toBe(401)
    expect((await webhook(body, now_s, 'another secret')).status).toBe(401)
    expect((await webhook(body, now_s - 301)).status).toBe(401)
    expect((await webhook('{"eventId": "1"}')).status).toBe(400)
    expect((await payments.call('POST', '/v1/webhooks/nobody', { body })).status).toBe(404)
    expect((await webhook(body)).status).toBe(200)
  })
})

describe('reads', () => {
  it("are the owner's and staff's, and wait for the saga with the order's token", async () => {
    const order = await payments.place({ method: 'wallet' })
    const token = ConsistencyToken.encode({ incarnation: 'orders', streams: { [`order-${order.orderId}`]: 1 } })
    const path = `/v1/orders/${order.orderId}/payment`
    const own = () => payments.call('GET', path, { as: ['c-1', 'customer'], headers: { 'consistency-token': token } })
    let mine = await own()
    // It waits for a while, then says to ask again.
    for (let tries = 0; mine.status === 503 && tries < 20; tries++) mine = await own()
    expect(mine).toMatchObject({ status: 200, body: { method: 'wallet', amount: money(AMOUNT) } })
    expect((await payments.call('GET', path, { as: ['c-2', 'customer'] })).status).toBe(404)
    expect((await payments.call('GET', path, { as: ['s-1', 'support'] })).status).toBe(200)
    expect((await payments.call('GET', `/v1/orders/${randomUUID()}/payment`)).status).toBe(404)
    expect((await payments.call('GET', '/v1/orders/nonsense/payment')).status).toBe(404)
    expect((await payments.call('GET', path, { headers: { 'consistency-token': '!' } })).status).toBe(400)
    const unknown = randomUUID()
    const never = ConsistencyToken.encode({ incarnation: 'orders', streams: { [`order-${unknown}`]: 1 } })
    expect((await payments.call('GET', `/v1/orders/${unknown}/payment`, { headers: { 'consistency-token': never } })).status).toBe(503)
  })

  it('list sagas page by page, and show one whole', async () => {
    const order = await payments.place({ method: 'wallet' })
    await until(order, paid)
    const seen = new Set<string>()
    let cursor = ''
    for (let pages = 0; pages < 50; pages++) {
      const page = await payments.call('GET', `/v1/sagas?type=order-payment&limit=5${cursor && `&cursor=${cursor}`}`)
      const body = page.body as { items: { sagaId: string }[]; nextCursor: string | null }
      for (const { sagaId } of body.items) seen.add(sagaId)
      if (body.nextCursor === null) break
      cursor = body.nextCursor
    }
    const sagaId = sagaIdFor('order-payment', order.orderId)
    expect(seen.has(sagaId)).toBe(true)
    const one = await payments.call('GET', `/v1/sagas/${sagaId}`)
    expect(one.body).toMatchObject({ sagaId, status: 'COMPLETED', correlationKey: order.orderId })
    expect(JSON.stringify(one.body)).toContain('capture-hold')
    expect((await payments.call('GET', `/v1/sagas/${randomUUID()}`)).status).toBe(404)
    expect((await payments.call('GET', '/v1/sagas?status=nonsense')).status).toBe(400)
    expect((await payments.call('GET', '/v1/sagas?stuckFor=soon')).status).toBe(400)
    expect((await payments.call('GET', '/v1/sagas?stuckFor=99999999d')).status).toBe(200)
    expect((await payments.call('GET', '/v1/sagas', { as: ['c-1', 'customer'] })).status).toBe(403)
  })
})

describe("an operator's hand", () => {
  const operate = (sagaId: string, action: string, body: object = {}, headers: Record<string, string> = {}) =>
    payments.call('POST', `/v1/sagas/${sagaId}/${action}`, { as: ['s-1', 'support'], body, headers })
  const handsOn = async (sagaId: string) => {
    const { body } = await payments.call('GET', `/v1/sagas/${sagaId}`)
    const { timeline } = body as { timeline: { type: string; by: string; action: string; detail: string; evidence?: string }[] }
    return timeline
      .filter(({ type }) => type === 'OperatorActed')
      .map(({ by, action, detail, evidence }) => ({ by, action, detail, evidence }))
  }

  it('turns a saga back, once, and gives the same answer to the same key', async () => {
    const order = await payments.place({ method: 'wallet' }, { fraud: 'review' })
    await until(order, { status: 'WAITING' })
    const sagaId = sagaIdFor('order-payment', order.orderId)
    const key = { 'idempotency-key': randomUUID() }
    for (const action of ['retry', 'compensate'])
      expect(await operate(sagaId, action)).toMatchObject({ status: 400, body: { errors: [{ pointer: '/reason' }] } })
    const shownBefore = await payments.call('GET', `/v1/sagas/${sagaId}`)
    expect(shownBefore.headers['etag']).toBe(`"${String((shownBefore.body as { version: number }).version)}"`)
    expect((await operate(sagaId, 'compensate', { reason: 'a test' }, { 'if-match': '"1"' })).status).toBe(412)
    const first = await operate(sagaId, 'compensate', { reason: 'a test' }, key)
    expect(first).toMatchObject({ status: 200, body: { status: 'COMPENSATING', failure: { reason: 'operator' } } })
    const again = await operate(sagaId, 'compensate', { reason: 'a test' }, key)
    expect(again).toMatchObject({ status: 200, body: first.body, headers: { 'idempotency-replayed': 'true', etag: first.headers['etag'] } })
    expect((await operate(sagaId, 'compensate', { reason: 'another' }, key)).status).toBe(422)
    await until(order, { status: 'COMPENSATED' })
    expect(order.books).toMatchObject({ order: 'CANCELLED', reason: 'merchant', reserved: 0 })
    expect((await operate(sagaId, 'compensate', { reason: 'a test' })).status).toBe(409)
    expect((await operate(sagaId, 'retry', { reason: 'a test' })).status).toBe(409)
    expect((await operate(sagaId, 'resume', { step: 'place-order', outcome: 'succeeded', evidence: 'none' })).status).toBe(409)
    expect((await operate(randomUUID(), 'retry', { reason: 'a test' })).status).toBe(404)
    expect((await operate(sagaId, 'resume', { step: 'x' })).status).toBe(400)
    const shown = await payments.call('GET', `/v1/sagas/${sagaId}`)
    expect(JSON.stringify(shown.body)).toContain('"by":"s-1"')
  })

  it('is laid on many by a filter, first dry, and once on each', async () => {
    const orders = await Promise.all(Array.from({ length: 5 }, () => payments.place({ method: 'wallet' }, { fraud: 'review' })))
    for (const order of orders) await until(order, { status: 'WAITING' })
    const all = (body: object, headers: Record<string, string> = {}) =>
      payments.call('POST', '/v1/sagas/compensate', { as: ['s-1', 'support'], body: { reason: 'an outage', ...body }, headers })
    const filter = { type: 'order-payment', status: 'WAITING' }
    expect((await all({ filter: {} })).status).toBe(400)
    expect((await all({ filter: { status: 'STUCK' } })).status).toBe(400)
    const shy = await payments.call('POST', '/v1/sagas/compensate', { as: ['c-1', 'customer'], body: { reason: 'mine', filter } })
    expect(shy.status).toBe(403)
    const dry = await all({ filter, dryRun: true })
    expect(dry).toMatchObject({ status: 200, body: { dryRun: true, applied: 0 } })
    for (const order of orders) expect(await read(order)).toMatchObject({ status: 'WAITING' })
    const move = { type: 'order-payment', from: 1, to: 2, reason: 'a deploy', dryRun: true }
    const moved = await payments.call('POST', '/v1/sagas/migrate', { as: ['a-1', 'admin'], body: move })
    expect(moved).toMatchObject({ status: 200, body: { dryRun: true, applied: 0 } })
    expect((moved.body as { items: object[] }).items[0]).toMatchObject({ result: 'refused', detail: 'there is no v2 of order-payment' })
    expect((await payments.call('POST', '/v1/sagas/migrate', { as: ['s-1', 'support'], body: move })).status).toBe(403)
    const headers = { 'idempotency-key': randomUUID() }
    const done = (await all({ filter, limit: 3 }, headers)).body as { matched: number; applied: number; nextCursor: string | null }
    expect(done).toMatchObject({ matched: 3, applied: 3 })
    expect(done.nextCursor).not.toBeNull()
    expect((await all({ filter })).status).toBe(200)
    for (const order of orders) {
      await until(order, { status: 'COMPENSATED' })
      expect(await handsOn(sagaIdFor('order-payment', order.orderId))).toEqual([{ by: 's-1', action: 'compensate', detail: 'an outage' }])
    }
    const refused = await payments.call('POST', '/v1/sagas/retry', {
      as: ['s-1', 'support'],
      body: { reason: 'again', filter: { type: 'order-payment', status: 'COMPENSATED' }, limit: 1 },
    })
    expect(refused.body).toMatchObject({ matched: 1, applied: 0, items: [{ result: 'refused', reason: 'invalid-transition' }] })
    // Of each saga an entry in the audit trail, what was refused too; of what was dry none.
    const acts: Readonly<Record<string, unknown>>[] = []
    for await (const { data, metadata } of payments.app.get<Events>(STORE).readStream('audit-s-1'))
      if (String(data['action']).startsWith('POST /v1/sagas/') && !String(data['action']).includes(':id'))
        acts.push({ ...data, ...metadata })
    const paths = orders.map(({ orderId }) => `/v1/sagas/${sagaIdFor('order-payment', orderId)}/compensate`)
    const turned = acts.filter(({ status }) => status === 200)
    expect(turned.map(({ path }) => path)).toEqual(expect.arrayContaining(paths))
    expect(new Set(turned.map(({ path }) => path)).size).toBe(turned.length)
    expect(new Set(turned.map(({ reason }) => reason))).toEqual(new Set(['an outage']))
    expect(acts.at(-1)).toMatchObject({ action: 'POST /v1/sagas/retry', status: 409, refused: 'invalid-transition', roles: ['support'] })
  })

  it('tries many again by a filter, page by page: who and why are kept with each, and what does not match is left alone', async () => {
    const stuck = await Promise.all([1, 2, 3].map(() => payments.place({ method: 'wallet' }, { refuses: ['CaptureHold'] })))
    const reviewed = await payments.place({ method: 'wallet' }, { fraud: 'review' })
    for (const order of stuck) await until(order, { status: 'NEEDS_ATTENTION' })
    await until(reviewed, { status: 'WAITING' })
    const filter = { type: 'order-payment', status: 'NEEDS_ATTENTION' }
    const retry = (body: object = {}) =>
      payments.call('POST', '/v1/sagas/retry', { as: ['s-1', 'support'], body: { reason: 'the wallet is back', filter, ...body } })
    const ids = stuck.map(({ orderId }) => sagaIdFor('order-payment', orderId))
    type Done = { applied: number; items: { sagaId: string; result: string }[]; nextCursor: string }
    const dry = (await retry({ dryRun: true })).body as Done
    expect(dry.items.map(({ sagaId, result }) => [sagaId, result]).toSorted()).toEqual(ids.map((id) => [id, 'matched']).toSorted())
    for (const id of ids) expect(await handsOn(id)).toEqual([])

    for (const { books } of stuck) books.refuses.clear()
    const first = (await retry({ limit: 2 })).body as Done
    expect(first).toMatchObject({ applied: 2, nextCursor: expect.any(String) })
    const second = (await retry({ limit: 2, cursor: first.nextCursor })).body as Done
    expect(second).toMatchObject({ applied: 1, nextCursor: null })
    expect([...first.items, ...second.items].map(({ sagaId }) => sagaId).toSorted()).toEqual(ids.toSorted())
    for (const order of stuck) {
      await until(order, paid)
      expect(order.books).toMatchObject({ order: 'CONFIRMED', hold: 'captured' })
    }
    for (const id of ids) expect(await handsOn(id)).toEqual([{ by: 's-1', action: 'retry', detail: 'the wallet is back' }])
    const acts: unknown[] = []
    for await (const { data, metadata } of payments.app.get<Events>(STORE).readStream('audit-s-1'))
      if (metadata.reason === 'the wallet is back') acts.push([data['path'], data['status']])
    expect(acts.toSorted()).toEqual(ids.map((id) => [`/v1/sagas/${id}/retry`, 200]).toSorted())

    expect(await read(reviewed)).toMatchObject({ status: 'WAITING' })
    const left = sagaIdFor('order-payment', reviewed.orderId)
    expect(await handsOn(left)).toEqual([])
    expect(await operate(left, 'compensate', { reason: 'a test' })).toMatchObject({ status: 200 })
    await until(reviewed, { status: 'COMPENSATED' })
  })

  it('settles the same step of many by a word, and says of each that it does not fit why not', async () => {
    const asked = await Promise.all([1, 2].map(() => payments.place({ method: 'upi', instrument: 'timeout@upi' })))
    const reviewed = await payments.place({ method: 'wallet' }, { fraud: 'review' })
    for (const order of [...asked, reviewed]) await until(order, { status: 'WAITING' })
    const idOf = ({ orderId }: Order) => sagaIdFor('order-payment', orderId)
    const body = {
      filter: { type: 'order-payment', status: 'WAITING' },
      step: 'authorise-payment',
      outcome: 'refused',
      evidence: 'the provider says so by phone',
      reason: 'an outage',
    }
    const done = await payments.call('POST', '/v1/sagas/resume', { as: ['s-1', 'support'], body })
    const { items } = done.body as { items: { sagaId: string; result: string; detail?: string }[] }
    const resultOf = (order: Order) => items.find(({ sagaId }) => sagaId === idOf(order))
    for (const order of asked) {
      expect(resultOf(order)).toMatchObject({ result: 'applied' })
      await until(order, { status: 'COMPENSATED', captured: money('0') })
      expect(order.books).toMatchObject({ order: 'CANCELLED', reason: 'payment-declined', reserved: 0 })
      expect(await handsOn(idOf(order))).toEqual([{ by: 's-1', action: 'resume', detail: 'an outage', evidence: body.evidence }])
    }
    expect(resultOf(reviewed)).toMatchObject({ result: 'refused', detail: 'authorise-payment has not begun' })
    expect(await operate(idOf(reviewed), 'compensate', { reason: 'a test' })).toMatchObject({ status: 200 })
    await until(reviewed, { status: 'COMPENSATED' })
  })

  it("settles by a person's word what nobody answers for", async () => {
    const order = await payments.place({ method: 'upi', instrument: 'timeout@upi' })
    await until(order, { status: 'WAITING' })
    const sagaId = sagaIdFor('order-payment', order.orderId)
    const body = { step: 'authorise-payment', outcome: 'refused', evidence: 'the provider says so by phone' }
    expect((await operate(sagaId, 'resume', body)).status).toBe(200)
    await until(order, { status: 'COMPENSATED' })
    expect(order.books.reason).toBe('payment-declined')
  })

  it('asks for what a success must tell', async () => {
    const order = await payments.place({ method: 'wallet' }, { fraud: 'review' })
    await until(order, { status: 'WAITING' })
    const sagaId = sagaIdFor('order-payment', order.orderId)
    const body = { step: 'await-review', outcome: 'succeeded', evidence: 'the risk officer says so' }
    expect(await operate(sagaId, 'resume', body)).toMatchObject({ status: 400, body: { errors: [{ pointer: '/decision' }] } })
    const headers = { 'idempotency-key': randomUUID() }
    // The second waits for the first, and gets its answer.
    const answers = await Promise.all([1, 2].map(() => operate(sagaId, 'resume', { ...body, decision: 'approve' }, headers)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    await until(order, paid)
  })
})

describe('metrics', () => {
  it('are answered while the database is away, without what is counted there, and with it when it is back', async () => {
    const counted = ['sagas', 'reconciliation_cases', 'reconciliation_failed_days', 'provider_webhooks', 'payment_reversals']
    const shown = async () => {
      const { statusCode, body } = await payments.app.inject({ url: '/metrics' })
      expect(statusCode).toBe(200)
      expect(body).toMatch(/^provider_circuit\{/m)
      return counted.filter((name) => new RegExp(`^${name}\\{`, 'm').test(body))
    }
    payments.line.cut()
    expect(await shown()).toEqual([])
    payments.line.mend()
    // No saga need be under way.
    await eventually('they are back', async () => (await shown()).length >= counted.length - 1)
  })
})
