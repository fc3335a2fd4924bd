import { randomBytes, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import pg from 'pg'
import { appUrl } from '../../apps/bahi/databases.js'
import { dataFolder } from '../chaos/running-process.js'
import { factsIn as search } from '../support/facts.js'
import { newHome, removeHome, startPlatform, type Platform } from '../support/platform.mjs'
import { Collector, type CollectedSpan } from './collector.js'
import {
  ADDRESS,
  call,
  ended,
  makeCustomer,
  makeProduct,
  makeWallet,
  newKey,
  poll,
  staffToken,
  type Answer,
  type Customer,
} from './shop.js'

/** A platform of its own, since what it writes is read whole: its log lines down to the smallest, its spans, its dead letters. */
const collector = new Collector()
const suiteUrl = process.env['BAHI_E2E_URL']
let platform: Platform
let wallet: pg.Client

beforeAll(async () => {
  const home = await newHome()
  const endpoint = await collector.listen()
  platform = await startPlatform({ home, env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, LOG_LEVEL: 'trace' } })
  process.env['BAHI_E2E_URL'] = platform.baseUrl
  const { databasePassword } = JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8')) as { databasePassword: string }
  const port = readFileSync(join(dataFolder(home), 'postmaster.pid'), 'utf8').split('\n')[3]
  wallet = new pg.Client(appUrl(`postgres://127.0.0.1:${port}/`, 'wallet', databasePassword))
  await wallet.connect()
}, 300_000)

afterAll(async () => {
  await wallet?.end()
  await platform?.stop()
  if (platform) await removeHome(platform.home)
  await collector.close()
  if (suiteUrl !== undefined) process.env['BAHI_E2E_URL'] = suiteUrl
})

const newTrace = () => {
  const traceId = randomBytes(16).toString('hex')
  const parent = randomBytes(8).toString('hex')
  return { traceId, parent, traceparent: `00-${traceId}-${parent}-01` }
}

/** What a customer is known by, of this run only. */
const person = {
  name: `Zebunnisa ${randomBytes(4).toString('hex')}`,
  line1: `${randomInt(100, 999)} Qutb ${randomBytes(4).toString('hex')} Marg`,
  phone: `+9198${randomInt(10_000_000, 99_999_999)}`,
  aadhaar: String(randomInt(2 * 10 ** 11, 9 * 10 ** 11)),
  pan: `ABCPK${randomInt(1_000, 9_999)}Q`,
  card: `4${randomInt(10 ** 7, 9 * 10 ** 7)}${randomInt(10 ** 6, 9 * 10 ** 6)}`,
  vpa: `zeb${randomBytes(4).toString('hex')}@upi`,
}
const address = { ...ADDRESS, name: person.name, line1: person.line1, phone: person.phone }

const place = async (customer: Customer, payment: object, traceparent: string): Promise<Answer> => {
  const sku = await makeProduct({ price: 25_000, stock: 10 })
  const body = { items: [{ sku, quantity: 1 }], shippingAddress: address, payment }
  return call('POST', '/v1/orders', { token: customer.token, key: newKey(), body, headers: { traceparent } })
}

/** Until the spans of a trace are as `expectThat` says. Each app sends its own when its batch is full or old, in no order among them. */
const told = async (traceId: string, expectThat: (spans: readonly CollectedSpan[]) => void): Promise<void> => {
  const deadline = Date.now() + 60_000
  for (;;) {
    try {
      return expectThat(collector.ofTrace(traceId))
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The parents that spans name and that are not among them: one tree has but the caller's. */
const unparented = (spans: readonly CollectedSpan[]): readonly string[] => {
  const known = new Set(spans.map(({ spanId }) => spanId))
  return [...new Set(spans.map(({ parentSpanId }) => parentSpanId))].filter((id) => !known.has(id))
}

const namesOf = (spans: readonly CollectedSpan[], app: string): readonly string[] =>
  spans.filter((span) => span.app === app).map(({ name }) => name)

describe('the trace of an order', () => {
  it('is one tree from the request through relay, log, handlers and provider to CONFIRMED', async () => {
    const customer = await makeCustomer()
    const { traceId, parent, traceparent } = newTrace()
    const placed = await place(customer, { method: 'card', token: 'tok_success' }, traceparent)
    await ended(customer, placed, 'CONFIRMED', 'COMPLETED')

    await told(traceId, (spans) => {
      expect(namesOf(spans, 'order-query')).toContain('process OrderConfirmed')
      expect(unparented(spans)).toEqual([parent])
      expect(namesOf(spans, 'order-command')).toEqual(
        expect.arrayContaining([
          'POST /v1/orders',
          'publish OrderPlaced',
          'process ReserveStock',
          'process ConfirmOrder',
          'publish OrderConfirmed',
        ]),
      )
      expect(namesOf(spans, 'payment-saga')).toEqual(
        expect.arrayContaining([
          'process OrderPlaced',
          'append saga',
          'publish ReserveStock',
          'process CommandAnswered',
          'run authorise-payment',
          'POST provider',
        ]),
      )
      expect(namesOf(spans, 'fraud')).toEqual(expect.arrayContaining(['process ScoreTransaction', 'publish CommandAnswered']))
      const request = spans.find(({ name }) => name === 'POST /v1/orders')
      expect(request).toMatchObject({
        parentSpanId: parent,
        attributes: { 'http.route': '/v1/orders', 'http.response.status_code': '201' },
      })
      // A batch is in a trace of its own, and tells of each message that it handled.
      const published = new Set(spans.filter(({ name }) => name === 'publish OrderPlaced').map(({ spanId }) => spanId))
      const batches = collector.spans.filter(({ name }) => name === 'process batch of orders.events')
      const telling = batches.filter((batch) => batch.links.some(({ spanId }) => published.has(spanId)))
      expect(new Set(telling.map(({ app }) => app))).toEqual(new Set(['fraud', 'order-query', 'payment-saga']))
      expect(batches.some((batch) => batch.traceId === traceId)).toBe(false)
    })

    // The slow request is found from the metric: the exemplar names a trace.
    await told(traceId, () =>
      expect(platform.output.some((line) => line.includes(traceId) && line.includes('"app":"order-command"'))).toBe(true),
    )
  })

  it('goes on across a dead letter and its redrive', async () => {
    const [customer, admin] = await Promise.all([makeCustomer(), staffToken('admin')])
    const walletId = await makeWallet(customer, 100_000)
    // The wallet's database refuses holds, as a mistake in its code would.
    await wallet.query(`CREATE FUNCTION wallet.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted'; END $$`)
    await wallet.query(
      `CREATE TRIGGER planted BEFORE INSERT ON wallet.events FOR EACH ROW WHEN (NEW.type = 'FundsHeld') EXECUTE FUNCTION wallet.planted()`,
    )
    const { traceId, parent, traceparent } = newTrace()
    const placed = await place(customer, { method: 'wallet', walletId }, traceparent)
    // Its next try is its last, and soon.
    const hasten = () => wallet.query(`UPDATE wallet.deferred SET attempts = 7, due_ms = 0 WHERE attempts < 7 AND failure IS NOT NULL`)
    const letters = await poll(
      async () => {
        await hasten()
        return call('GET', '/v1/ops/dead-letters?group=wallet', { token: admin })
      },
      ({ body }) => ((body['items'] as readonly unknown[] | undefined) ?? []).length > 0,
    )
    const [letter] = letters.body['items'] as unknown as readonly { id: string; traceparent: string }[]
    expect(letter?.traceparent.slice(3, 35)).toBe(traceId)

    await wallet.query('DROP FUNCTION wallet.planted CASCADE')
    const path = `/v1/ops/dead-letters/${encodeURIComponent(letter?.id ?? '')}`
    const redriven = await call('POST', `${path}/redrive`, { token: admin, key: newKey(), body: { reason: 'mended' } })
    expect(redriven.status).toBeLessThan(300)
    await poll(
      () => call('GET', path, { token: admin }),
      ({ body }) => body['status'] === 'RECOVERED',
    )
    await ended(customer, placed, 'CONFIRMED', 'COMPLETED')

    await told(traceId, (spans) => {
      expect(namesOf(spans, 'order-query')).toContain('process OrderConfirmed')
      expect(unparented(spans)).toEqual([parent])
      const holds = spans.filter(({ app, name }) => app === 'wallet' && name === 'process HoldFunds')
      expect(holds.filter(({ failed }) => failed).length).toBeGreaterThan(1)
      expect(holds.filter(({ failed }) => !failed).length).toBeGreaterThan(0)
    })
    const parked = platform.output.find((line) => line.includes('parked in the dead letters'))
    expect(JSON.parse(parked ?? '{}')).toMatchObject({ app: 'wallet', traceId })
  }, 300_000)
})

/** Everything that the run left where others than the person may read it, by where. */
const leftBehind = async (refusals: readonly string[]): Promise<Readonly<Record<string, string>>> => {
  const admin = await staffToken('admin')
  const lists = ['PARKED', 'RECOVERED'].map((status) => call('GET', `/v1/ops/dead-letters?status=${status}`, { token: admin }))
  const listed = (await Promise.all(lists)).flatMap(({ body }) => body['items'] as unknown as readonly { id: string }[])
  const letters = listed.map(({ id }) => call('GET', `/v1/ops/dead-letters/${encodeURIComponent(id)}`, { token: admin }))
  const log = await wallet.query<{ text: string }>(
    `SELECT key || ' ' || headers || ' ' || convert_from(value, 'UTF8') AS text FROM log.record
     UNION ALL SELECT failure || ' ' || headers || ' ' || convert_from(value, 'UTF8') FROM wallet.dead_letter`,
  )
  return {
    logs: platform.output.join('\n'),
    traces: collector.bodies.join('\n'),
    metrics: (await call('GET', '/metrics')).text,
    'dead letters': (await Promise.all(letters)).map(({ text }) => text).join('\n'),
    messages: log.rows.map(({ text }) => text).join('\n'),
    errors: refusals.join('\n'),
  }
}

/** Which of the person's facts are in the text. */
const factsIn = (text: string): readonly string[] => search(person, text)

describe('what a person is known by', () => {
  const refusals: string[] = []
  /** What is taken is no error; most of it is not. */
  const sent = async (...[method, path, options]: Parameters<typeof call>): Promise<void> => {
    const answer = await call(method, path, options)
    // A problem's `instance` is the path that its caller called (RFC 9457); nobody else is told.
    if (answer.status >= 400) refusals.push(JSON.stringify({ ...answer.body, instance: '' }), JSON.stringify([...answer.headers]))
  }

  it('is found by the search, however it is written', () => {
    const spaced = `${person.aadhaar.slice(0, 4)} ${person.aadhaar.slice(4, 8)} ${person.aadhaar.slice(8)}`
    expect(factsIn(`x${person.phone.slice(3)}y`)).toEqual(['phone'])
    expect(factsIn(`{"a":"${spaced}","b":"${person.pan.toLowerCase()}"}`)).toEqual(['aadhaar', 'pan'])
    expect(factsIn(`${person.card.slice(0, 4)}-${person.card.slice(4)} ${person.line1} ${person.name} ${person.vpa}`)).toEqual([
      'name',
      'line1',
      'card',
      'vpa',
    ])
    expect(factsIn('nothing of it')).toEqual([])
  })

  it('is in no log line, trace, metric, message, dead letter or error', async () => {
    const [customer, sku, support] = await Promise.all([makeCustomer(), makeProduct({ stock: 10 }), staffToken('support')])
    const walletId = await makeWallet(customer, 100_000)
    const asked = { token: customer.token, key: newKey() }
    const order = { items: [{ sku, quantity: 1 }], shippingAddress: address, payment: { method: 'upi', vpa: person.vpa } }
    // Where it belongs, and where a careless client puts it.
    const placed = await call('POST', '/v1/orders', { ...asked, body: order })
    await call('POST', '/v1/orders', { ...asked, key: newKey(), body: { ...order, aadhaar: person.aadhaar, pan: person.pan } })
    await sent('POST', '/v1/orders', {
      ...asked,
      key: newKey(),
      body: { ...order, shippingAddress: { ...address, phone: person.aadhaar } },
    })
    await sent('POST', '/v1/orders', { ...asked, key: newKey(), body: { ...order, payment: { method: 'card', token: person.card } } })
    await sent('POST', '/v1/orders', { ...asked, key: newKey(), body: `{"name": "${person.name}", ${person.card}` })
    await sent('POST', '/v1/orders', { ...asked, key: `${person.name} ${person.phone}`, body: order })
    await sent('GET', `/v1/orders/${person.aadhaar}`, asked)
    await sent('GET', `/v1/orders?status=${encodeURIComponent(person.line1)}&limit=${person.card}&customerId=${person.pan}`, asked)
    await sent('GET', `/v1/nowhere/${encodeURIComponent(person.name)}?phone=${encodeURIComponent(person.phone)}`, asked)
    await sent('POST', `/v1/wallets/${walletId}/credits`, {
      token: support,
      key: newKey(),
      body: { amount: person.phone, reference: person.pan },
    })
    await sent('POST', '/v1/webhooks/sandbox', { body: { card: person.card, phone: person.phone } })
    await sent('GET', '/v1/orders', { token: `${person.name}.${person.aadhaar}.${person.card}`.replaceAll(' ', '') })
    await call('POST', `/v1/orders/${String(placed.body['orderId'])}/cancel`, {
      ...asked,
      key: newKey(),
      body: { reason: `call ${person.phone}` },
    })
    await poll(
      () => call('GET', `/v1/orders/${String(placed.body['orderId'])}/payment`, asked),
      ({ body }) => body['status'] === 'COMPLETED' || body['status'] === 'COMPENSATED',
    )
    await poll(
      async () => ({
        ...placed,
        status: collector.spans.some(({ attributes }) => attributes['http.route'] === '/v1/orders/:id/cancel') ? 200 : 0,
      }),
      ({ status }) => status === 200,
    )

    const left = await leftBehind(refusals)
    // Each was looked at, and holds something.
    expect(refusals.length).toBeGreaterThan(2 * 6)
    expect(Object.entries(left).filter(([, text]) => text.length < 100)).toEqual([])
    expect(left['messages']).toContain(String(placed.body['orderId']))
    expect(left['traces']).toContain(String(placed.body['orderId']))
    expect(Object.entries(left).flatMap(([where, text]) => factsIn(text).map((fact) => `${fact} in ${where}`))).toEqual([])
  })

  it('is found where it leaks: an error of the database that says it', async () => {
    const customer = await makeCustomer()
    const walletId = await makeWallet(customer, 100_000)
    await wallet.query(`CREATE FUNCTION wallet.leak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'leak of ${person.line1}'; END $$`)
    await wallet.query(
      `CREATE TRIGGER leak BEFORE INSERT ON wallet.events FOR EACH ROW WHEN (NEW.type = 'FundsHeld') EXECUTE FUNCTION wallet.leak()`,
    )
    await place(customer, { method: 'wallet', walletId }, newTrace().traceparent)
    await poll(
      async () => ({ ...(await call('GET', '/health/live')), text: platform.output.join('\n') }),
      ({ text }) => text.includes('leak of'),
    )
    expect(factsIn((await leftBehind(refusals))['logs'] ?? '')).toContain('line1')
  })
})
