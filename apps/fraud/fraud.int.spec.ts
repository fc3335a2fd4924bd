import 'reflect-metadata'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  AlertDecided,
  AUDIT_EVENTS,
  CommandAnswered,
  FRAUD_EVENTS,
  PrivilegedActDone,
  REPLIES,
  ScoreTransaction,
  TransactionScored,
} from '#contracts'
import type { IncomingMessage } from '#kernel'
import { decodeMessage, encodeMessage, logMigrations, postgresLog, type LogDriver } from '#messaging'
import { eventually } from '#kernel/testing'
import { parseConfig } from '#platform'
import { testTokens, type TestTokens } from '#platform/testing'
import { migrate } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import pg from 'pg'
import { createFraudApp } from './app.js'
import { fraudConfig } from './fraud.config.js'
import { migrations } from './migrations.js'

const RISK = 'risk-1'

describe('the fraud app', () => {
  let database: TestDatabase
  let driver: LogDriver
  let app: NestFastifyApplication
  let tokens: TestTokens
  const heard: IncomingMessage[] = []

  beforeAll(async () => {
    database = await createTestDatabase(migrations, 'fraud')
    await migrate({ url: database.url, schema: 'log', migrations: logMigrations })
    tokens = await testTokens()
    const config = parseConfig(fraudConfig, {
      ...tokens.config,
      NODE_ENV: 'test',
      DATABASE_URL: database.url,
      MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
      FRAUD_HASH_KEY: 'a key of at least 32 characters for tests',
      REGION: 'in-test',
      LOG_LEVEL: 'silent',
      REVIEW_TIMEOUT_SECONDS: '3600',
      FRAUD_SAMPLE_SHARE: '1',
    })
    driver = postgresLog({ url: database.url })
    app = await createFraudApp(config, { keys: tokens.keys, driver })
    await app.startAllMicroservices()
    await app.init()
    await driver.consume({
      group: 'listener',
      topics: [FRAUD_EVENTS, REPLIES, AUDIT_EVENTS],
      startOffset: () => Promise.resolve(0n),
      onBatch: (_, records) => Promise.resolve(void heard.push(...records.map(decodeMessage))),
      maxBatch: 100,
    })
  })
  afterAll(async () => {
    await app.close()
    await driver.close()
    await database.drop()
  })

  const call = async (
    method: 'GET' | 'POST',
    url: string,
    body?: object,
    {
      sub = RISK,
      role = 'risk' as const,
      headers = {},
    }: { sub?: string; role?: 'risk' | 'service' | 'customer' | 'admin'; headers?: object } = {},
  ) => {
    const response = await app.inject({
      method,
      url,
      headers: { ...(await tokens.as(sub, role)), ...headers },
      ...(body === undefined ? {} : { payload: body }),
    })
    return { status: response.statusCode, headers: response.headers, text: response.body, body: response.json<Record<string, unknown>>() }
  }
  const score = (changes: object = {}, options: Parameters<typeof call>[3] = {}) =>
    call(
      'POST',
      '/v1/fraud/scores',
      { customerId: 'c-1', amount: { amount: '149900', currency: 'INR' }, method: 'card', ...changes },
      options,
    )

  /** As the store does with answers of long ago. */
  const sweep = async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query('DELETE FROM fraud.commands')
    await client.end()
  }

  let count = 0
  /** Sends a command as the payment saga does, and waits for its answer. */
  const order = async (amount: string): Promise<{ orderId: string; answer: ReturnType<typeof CommandAnswered.parse> }> => {
    const orderId = `order-${++count}`
    const data = {
      replyTo: `saga-${orderId}`,
      orderId,
      customerId: `c-${orderId}`,
      amount,
      method: 'card',
      addressHash: 'a',
      placedAt: new Date().toISOString(),
    }
    const producer = await driver.producer()
    const message = ScoreTransaction.message(orderId, data, { correlationId: orderId, causationId: 'test' }, `${orderId}:score`)
    await producer.send([encodeMessage(message, 'payment-saga', Date.now(), { incarnation: 'test', position: BigInt(count), ordinal: 0 })])
    const answered = () => heard.find(({ type, key }) => type === CommandAnswered.type && key === data.replyTo)
    await eventually(`${orderId} is answered`, () => answered() !== undefined)
    return { orderId, answer: CommandAnswered.parse(answered()?.data) }
  }
  const alert = async (): Promise<{ orderId: string; alertId: string }> => {
    const { orderId, answer } = await order('20000000')
    return { orderId, alertId: String(answer.result?.['alertId']) }
  }

  it('scores what is described, with reasons, and keeps nothing of it', async () => {
    const first = await score()
    expect(first).toMatchObject({ status: 200, body: { decision: 'approve', modelVersion: 'scorecard-1' } })
    expect(first.body['latencyMs']).toEqual(expect.any(Number))
    expect(first.body['reasons']).toContainEqual(expect.objectContaining({ code: 'new-customer', contribution: 0.05 }))
    const many = await Promise.all(Array.from({ length: 5 }, () => score()))
    expect(new Set(many.map(({ body }) => body['score']))).toEqual(new Set([first.body['score']]))
    expect((await score({ amount: { amount: '20000000', currency: 'INR' } })).body['decision']).toBe('review')
    expect((await score({ amount: { amount: '100000000', currency: 'INR' } }, { role: 'service' })).body['decision']).toBe('decline')
  })

  it('counts what says so, once for its key', async () => {
    const at = '2026-11-01T12:00:00.000Z'
    const described = { customerId: 'counted', at, count: true }
    const keyed = (key: string) => score(described, { headers: { 'idempotency-key': key } })
    const [one, two] = [await keyed('k-1'), await keyed('k-1')]
    expect(two.text).toBe(one.text)
    expect(two.headers['idempotency-replayed']).toBe('true')
    expect((await score({ customerId: 'counted', at })).body['score']).toBe(one.body['score'])
    await keyed('k-2')
    await keyed('k-3')
    expect(Number((await score({ customerId: 'counted', at })).body['score'])).toBeGreaterThan(Number(one.body['score']))
    expect(await score({ ...described, method: 'cod' }, { headers: { 'idempotency-key': 'k-1' } })).toMatchObject({
      status: 422,
      body: { type: '/problems/idempotency-key-reused' },
    })
  })

  it('knows another body under a key whose answer is not kept any more', async () => {
    const described = { customerId: 'swept', count: true }
    const keyed = (changes: object) => score({ ...described, ...changes }, { headers: { 'idempotency-key': 'swept-1' } })
    const first = await keyed({})
    await sweep()
    expect(await keyed({ method: 'cod' })).toMatchObject({ status: 422, body: { type: '/problems/idempotency-key-reused' } })
    expect(await keyed({})).toMatchObject({ status: 200, body: { score: first.body['score'], modelVersion: first.body['modelVersion'] } })
  })

  it('lets a repeat wait for its first', async () => {
    const described = { customerId: 'twice', count: true, at: '2026-11-01T12:00:00.000Z' }
    const answers = await Promise.all([1, 2, 3].map(() => score(described, { headers: { 'idempotency-key': 'twice-1' } })))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(2)
  })

  it.each([
    ['no customer', { customerId: undefined }, '/customerId'],
    ['float money', { amount: { amount: 10.5, currency: 'INR' } }, '/amount/amount'],
    ['no money', { amount: { amount: '0', currency: 'INR' } }, '/amount/amount'],
    ['another method', { method: 'cash' }, '/method'],
    ['a time that is none', { at: 'yesterday' }, '/at'],
    ['an unknown field', { score: 0 }, '/score'],
    ['two devices', { deviceId: 'a', deviceHash: 'b' }, '/deviceId'],
  ])('refuses %s', async (_, changes, pointer) => {
    const { status, body } = await score(changes)
    expect([status, (body['errors'] as readonly { pointer: string }[])[0]?.pointer]).toEqual([400, pointer])
  })

  it('lets nobody else in', async () => {
    expect((await score({}, { role: 'customer' })).status).toBe(403)
    expect((await call('GET', '/v1/fraud/alerts', undefined, { role: 'service' })).status).toBe(403)
    expect((await app.inject({ method: 'GET', url: '/v1/fraud/alerts' })).statusCode).toBe(401)
  })

  it('answers commands of the log, and queues what a person must see', async () => {
    expect((await order('149900')).answer.result).toMatchObject({ decision: 'approve' })
    expect((await order('100000000')).answer.result).toMatchObject({ decision: 'decline' })
    const metrics = (await app.inject({ method: 'GET', url: '/metrics' })).body
    expect(metrics).toMatch(/^fraud_decisions_total\{.*decision="decline".*\} 1$/m)
    expect(metrics).toMatch(/^event_store_room_partitions\{app="fraud"\} 0\.9999/m)
    const { orderId, alertId } = await alert()
    const { body } = await call('GET', '/v1/fraud/alerts?status=open&limit=100')
    expect(body['items']).toContainEqual(
      expect.objectContaining({ alertId, orderId, status: 'open', version: 1, amount: { amount: '20000000', currency: 'INR' } }),
    )
    await eventually('the score is told', () => heard.some(({ type, key }) => type === TransactionScored.type && key === orderId))
  })

  it('takes one decision, tells it once, and replays its answer', async () => {
    const { orderId, alertId } = await alert()
    const url = `/v1/fraud/alerts/${alertId}/decision`
    const decision = { decision: 'approve', note: 'called the customer' }
    const key = { headers: { 'idempotency-key': 'decide-1' } }
    expect((await call('POST', url, decision, { headers: { 'if-match': '"2"' } })).status).toBe(412)
    const first = await call('POST', url, decision, key)
    expect(first).toMatchObject({
      status: 200,
      headers: { etag: '"2"' },
      body: { alertId, orderId, status: 'approved', version: 2, decision: { decision: 'approve', by: RISK, note: 'called the customer' } },
    })
    expect((await call('POST', url, decision, key)).text).toBe(first.text)
    expect(await call('POST', url, { ...decision, decision: 'decline' })).toMatchObject({
      status: 409,
      body: { type: '/problems/invalid-transition' },
    })
    const { body } = await call('GET', '/v1/fraud/alerts?status=approved&limit=100')
    expect(body['items']).toContainEqual(expect.objectContaining({ alertId, status: 'approved' }))
    const told = () => heard.filter(({ type, key: order }) => type === AlertDecided.type && order === orderId)
    await eventually('the decision is told', () => told().length > 0)
    expect(told().map(({ data }) => data)).toMatchObject([{ alertId, orderId, version: 2, decision: 'approve', by: RISK }])
    const metrics = (await app.inject({ method: 'GET', url: '/metrics' })).body
    expect(metrics).toMatch(/^fraud_alerts_decided_recent\{.*decision="approve".*\} 1$/m)
  })

  it('shows samples of what approved itself only where asked: a label is kept and counted, and its order hears nothing', async () => {
    const { orderId, answer } = await order('149900')
    expect(answer.result).toEqual({ decision: 'approve', score: expect.any(Number) })
    const listed = async (query: string) => (await call('GET', `/v1/fraud/alerts?limit=100${query}`)).body['items']
    const sample = expect.objectContaining({ orderId, status: 'sampled', version: 1 })
    const ordersAre = expect.not.arrayContaining([expect.objectContaining({ orderId })])
    const sampled = ((await listed('&status=sampled')) as { orderId: string; alertId: string }[]).find((each) => each.orderId === orderId)
    expect(sampled).toEqual(sample)
    for (const query of ['', '&status=open']) expect(await listed(query)).toEqual(ordersAre)
    const url = `/v1/fraud/alerts/${sampled?.alertId}/decision`
    const label = { decision: 'decline', note: 'the card was stolen' }
    expect((await call('POST', url, label, { role: 'service' })).status).toBe(403)
    expect(await call('POST', url, label)).toMatchObject({
      status: 200,
      headers: { etag: '"2"' },
      body: { orderId, status: 'labelled', version: 2, decision: { decision: 'decline', by: RISK, note: 'the card was stolen' } },
    })
    expect((await call('POST', url, label)).status).toBe(409)
    expect(await listed('&status=labelled')).toContainEqual(expect.objectContaining({ orderId, status: 'labelled' }))
    for (const query of ['', '&status=open', '&status=declined', '&status=sampled']) expect(await listed(query)).toEqual(ordersAre)
    await eventually('the act is told', () => heard.some(({ type, data }) => type === PrivilegedActDone.type && data['path'] === url))
    expect(heard.filter(({ type, key }) => type === AlertDecided.type && key === orderId)).toEqual([])
    const metrics = (await app.inject({ method: 'GET', url: '/metrics' })).body
    expect(metrics).toMatch(/^fraud_samples_recent\{.*label="decline".*\} 1$/m)
    expect(metrics).toMatch(/^fraud_samples_recent\{.*label="none".*\} [1-9]/m)
    expect(metrics).toMatch(/^fraud_alerts_decided_recent\{.*decision="decline".*\} 0$/m)
  })

  it('lets one of many at once decide', async () => {
    const { alertId } = await alert()
    const url = `/v1/fraud/alerts/${alertId}/decision`
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) => call('POST', url, { decision: at % 2 === 0 ? 'approve' : 'decline', note: 'at once' })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409, 409, 409])
  })

  it('pages through the queue, and stays right while it grows', async () => {
    await alert()
    const seen: string[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null && pages < 50; pages++) {
      const { body } = await call('GET', `/v1/fraud/alerts?limit=2${cursor === '' ? '' : `&cursor=${String(cursor)}`}`)
      seen.push(...(body['items'] as readonly { alertId: string }[]).map(({ alertId }) => alertId))
      cursor = body['nextCursor'] as string | null
      if (pages === 0) await alert()
    }
    expect(seen.length).toBeGreaterThanOrEqual(4)
    expect(seen).toEqual([...new Set(seen)].sort())
  })

  it('knows no alert that is not there, and no cursor that it did not give', async () => {
    const decision = { decision: 'approve', note: 'none' }
    expect((await call('POST', '/v1/fraud/alerts/0190a000-0000-7000-8000-000000000001/decision', decision)).status).toBe(404)
    expect((await call('POST', '/v1/fraud/alerts/nonsense/decision', decision)).status).toBe(404)
    expect((await call('GET', '/v1/fraud/alerts?cursor=bm9uc2Vuc2U')).status).toBe(400)
    expect((await call('GET', '/v1/fraud/alerts?status=lost')).status).toBe(400)
    const { alertId } = await alert()
    expect((await call('POST', `/v1/fraud/alerts/${alertId}/decision`, { decision: 'approve' })).status).toBe(400)
    expect((await call('POST', `/v1/fraud/alerts/${alertId}/decision`, { decision: 'maybe', note: 'x' })).status).toBe(400)
  })

  it('is ready, and for requests by its database alone', async () => {
    const ready = await app.inject({ method: 'GET', url: '/health/ready' })
    expect(ready.json()).toEqual({ status: 'ok', checks: { database: 'ok', relay: 'ok', consumer: 'ok' } })
    const forRequests = await app.inject({ method: 'GET', url: '/health/ready?of=requests' })
    expect(forRequests.json()).toEqual({ status: 'ok', checks: { database: 'ok' } })
  })
})
