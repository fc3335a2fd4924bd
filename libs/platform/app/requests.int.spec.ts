import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { FakeClock } from '#kernel/testing'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { InjectOptions } from 'fastify'
import { demoApp, type Demo } from './demo-app.fixture.js'

let demo: Demo
let app: NestFastifyApplication
beforeAll(async () => {
  demo = await demoApp()
  app = demo.app
})
afterAll(() => app.close())

const json = { 'content-type': 'application/json' }
const foreign = '0190a1b2-0000-7000-8000-00000000beef'
const good = { label: 'rice', price: { amount: '100', currency: 'INR' }, items: [{ sku: 'A', quantity: 1 }] }

const call = async (options: InjectOptions, sub: string | null = 'c-1') =>
  app.inject({ ...options, headers: { ...(sub === null ? {} : await demo.as(sub)), ...options.headers } })

const post = (url: string, payload: unknown, headers: Record<string, string> = {}, sub: string | null = 'c-1') =>
  call({ method: 'POST', url, headers: { ...json, 'idempotency-key': crypto.randomUUID(), ...headers }, payload: payload as string }, sub)

const slug = (answer: { json(): { type: string } }) => answer.json().type.replace('/problems/', '')

describe('the order of checks', () => {
  const huge = JSON.stringify({ label: 'x'.repeat(300_000) })

  it('401 before anything of the body', async () => {
    for (const [payload, headers] of [
      [huge, {}],
      ['{', {}],
      ['<a/>', { 'content-type': 'text/xml' }],
    ] as const) {
      expect((await post('/v1/jars', payload, headers, null)).statusCode).toBe(401)
    }
  })

  it('429 before anything of the body', async () => {
    const limited = await demoApp({ RATE_LIMIT_PER_SECOND: 1, RATE_LIMIT_BURST: 1 }, new FakeClock(Date.now()))
    const headers = { ...json, ...(await limited.as('c-1')) }
    const send = (payload: string) => limited.app.inject({ method: 'POST', url: '/v1/jars', headers, payload })
    expect((await send('{')).statusCode).toBe(400)
    const answer = await send(huge)
    expect([answer.statusCode, answer.headers['retry-after'], slug(answer)]).toEqual([429, '1', 'rate-limited'])
    await limited.app.close()
  })

  it('413, then 415, then malformed JSON, before 403 and 404', async () => {
    expect(slug(await post('/v1/jars', huge))).toBe('body-too-large')
    expect(slug(await post('/v1/odd/merchants', huge, { 'content-type': 'text/plain' }))).toBe('body-too-large')
    expect(slug(await post('/v1/odd/merchants', '<a/>', { 'content-type': 'text/xml' }))).toBe('unsupported-media-type')
    expect(slug(await post('/v1/odd/merchants', '{', {}))).toBe('malformed-json')
    expect(slug(await post(`/v1/jars/${foreign}/fill`, '{'))).toBe('malformed-json')
  })

  it('403, then 404, then fields, then the idempotency key', async () => {
    expect(slug(await post('/v1/odd/merchants', {}))).toBe('forbidden')
    expect(slug(await post('/v1/jars/not-a-uuid/fill', {}))).toBe('not-found')
    expect(slug(await post(`/v1/jars/${foreign}/fill`, {}))).toBe('not-found')
    const noKey = async (payload: unknown) =>
      call({ method: 'POST', url: '/v1/jars', headers: { ...json, 'if-match': 'bad' }, payload: payload as string })
    expect(slug(await noKey({}))).toBe('invalid-input')
    expect(slug(await noKey(good))).toBe('idempotency-key-missing')
  })
})

describe('what cannot be a request', () => {
  it.each([
    ['{', 400],
    ['nul', 400],
    ['{"label":"\\u0000"}', 400],
    ['{"__proto__":{"isStaff":true}}', 400],
    ['{"constructor":{"prototype":{"a":1}}}', 400],
    ['['.repeat(50_000) + ']'.repeat(50_000), 400],
    ['[]', 400],
    ['null', 400],
    ['"text"', 400],
    ['5', 400],
    ['', 400],
  ])('%.30s', async (payload, status) => {
    const answer = await post('/v1/jars', payload)
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toBe('application/problem+json')
  })

  it('bytes that are not UTF-8', async () => {
    expect(slug(await post('/v1/jars', Buffer.from([0x22, 0xff, 0x22])))).toBe('malformed-json')
  })

  it('a compressed body', async () => {
    expect((await post('/v1/jars', '{}', { 'content-encoding': 'gzip' })).statusCode).toBe(415)
  })

  it('forms and texts', async () => {
    for (const type of [
      'application/x-www-form-urlencoded',
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/xml',
      'nonsense',
    ])
      expect((await post('/v1/jars', 'a=b', { 'content-type': type })).statusCode).toBe(415)
  })

  it('broken paths', async () => {
    for (const [url, status] of [
      ['/v1/jars/%E0%A4%A', 400],
      [`/v1/jars/${'a'.repeat(3_000)}`, 404],
      ['/v1/jars/%00', 404],
      ['/v1/nowhere', 404],
      ['/v1//jars', 404],
    ] as const) {
      const answer = await call({ url })
      expect([url, answer.statusCode, answer.headers['content-type']]).toEqual([url, status, 'application/problem+json'])
      expect(answer.json()).toMatchObject({ status, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) })
    }
  })

  it('a method that the path does not have', async () => {
    const answer = await call({ method: 'DELETE', url: '/v1/jars' })
    expect([answer.statusCode, answer.headers.allow, slug(answer)]).toEqual([405, 'GET, HEAD, POST', 'method-not-allowed'])
  })
})

describe('fields', () => {
  const errorsOf = async (payload: unknown) => {
    const answer = await post('/v1/jars', payload)
    expect([answer.statusCode, slug(answer)]).toEqual([400, 'invalid-input'])
    return (answer.json() as { errors: { pointer: string; detail: string }[] }).errors.map(({ pointer, detail }) => `${pointer} ${detail}`)
  }

  it('are named where they are missing', async () => {
    expect(await errorsOf({})).toEqual(['/label is required', '/price is required', '/items is required'])
  })

  it.each([
    [{ ...good, label: null }, '/label is required'],
    [{ ...good, label: 5 }, '/label must be a string'],
    [{ ...good, label: '' }, '/label must be 1 to 40 characters'],
    [{ ...good, label: '  ' }, '/label must be 1 to 40 characters'],
    [{ ...good, label: 'x'.repeat(41) }, '/label must be 1 to 40 characters'],
    [{ ...good, label: 'a\u0000b' }, '/label must be text without NUL and lone surrogates'],
    [{ ...good, label: '\ud800' }, '/label must be text without NUL and lone surrogates'],
    [{ ...good, note: null }, '/note must be a string'],
    [{ ...good, extra: 1 }, '/extra is not a field of this call'],
    [{ ...good, 'a/b~c': 1 }, '/a~1b~0c is not a field of this call'],
    [{ ...good, toString: 1 }, '/toString is not a field of this call'],
    [{ ...good, constructor: 1 }, '/constructor is not a field of this call'],
    [{ ...good, hasOwnProperty: 1 }, '/hasOwnProperty is not a field of this call'],
    [{ ...good, price: 5 }, '/price must be an object'],
    [{ ...good, price: [] }, '/price must be an object'],
    [{ ...good, price: [good.price] }, '/price must be an object'],
    [{ ...good, price: {} }, '/price/amount is required'],
    [{ ...good, price: { amount: 100, currency: 'INR' } }, '/price/amount must be a string of digits'],
    [{ ...good, price: { amount: '1.5', currency: 'INR' } }, '/price/amount must be a string of digits'],
    [{ ...good, price: { amount: '-1', currency: 'INR' } }, '/price/amount must be a string of digits'],
    [{ ...good, price: { amount: '0', currency: 'INR' } }, '/price/amount must be a string of digits'],
    [{ ...good, price: { amount: '007', currency: 'INR' } }, '/price/amount must be a string of digits'],
    [{ ...good, price: { amount: '9999999999999999', currency: 'INR' } }, '/price/amount must be a string of digits'],
    [{ ...good, price: { amount: '1', currency: 'USD' } }, '/price/currency must be one of INR'],
    [{ ...good, price: { amount: '1', currency: 'INR', x: 1 } }, '/price/x is not a field of this call'],
    [{ ...good, items: {} }, '/items must be a list'],
    [{ ...good, items: [] }, '/items must have 1 to 100 elements'],
    [{ ...good, items: Array(101).fill(good.items[0]) }, '/items must have 1 to 100 elements'],
    [{ ...good, items: [null] }, '/items must hold objects only'],
    [{ ...good, items: [[]] }, '/items must hold objects only'],
    [{ ...good, items: [[good.items[0]]] }, '/items must hold objects only'],
    [{ ...good, items: ['x'] }, '/items must hold objects only'],
    [{ ...good, items: [{ sku: 'A', quantity: '1' }] }, '/items/0/quantity must be a whole number from 1 to 1000'],
    [{ ...good, items: [good.items[0], { sku: 'A', quantity: 1.5 }] }, '/items/1/quantity must be a whole number from 1 to 1000'],
    [{ ...good, items: [{ sku: 'A', quantity: 0 }] }, '/items/0/quantity must be a whole number from 1 to 1000'],
    [{ ...good, items: [{ sku: 'A', quantity: 1, price: 1 }] }, '/items/0/price is not a field of this call'],
    [{ ...good, items: [{ sku: 'A B', quantity: 1 }] }, '/items/0/sku must be letters, digits, dots, hyphens and underscores'],
    [{ ...good, items: Array(20_000).fill(0) }, '/items must have at most 5000 values'],
  ])('%.80j', async (payload, expected) => {
    expect((await errorsOf(payload))[0]).toContain(expected)
  })

  it('of a query are held to its names and ranges', async () => {
    const pointers = async (query: string) => {
      const answer = await call({ url: `/v1/jars?${query}` })
      return answer.statusCode === 200 ? 200 : (answer.json() as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)
    }
    expect(await pointers('limit=2')).toBe(200)
    for (const wrong of ['limit=0', 'limit=101', 'limit=x', 'limit=1.5', 'limit=', 'limit=1&limit=2'])
      expect(await pointers(wrong)).toEqual(['/limit'])
    expect(await pointers('other=1')).toEqual(['/other'])
    expect(await pointers('cursor=%00')).toEqual(['/cursor'])
  })

  it('of a query that the route does not take are each refused, before those of the body and without an echo of their values', async () => {
    for (const request of [
      { url: '/v1/odd/open?secret=1&a/b=2' },
      { method: 'POST' as const, url: '/v1/jars?secret=1&a/b=2', payload: '{}', headers: json },
    ]) {
      const answer = await call(request)
      expect([answer.statusCode, slug(answer)]).toEqual([400, 'invalid-input'])
      expect(answer.json()).toMatchObject({
        instance: request.url.split('?')[0],
        errors: [{ pointer: '/secret', detail: 'is not a field of this call' }, { pointer: '/a~1b' }],
      })
    }
    expect((await app.inject({ url: '/health/live?probe=1' })).statusCode).toBe(200)
  })

  it('that nobody knows are repeated shortened, and without what steers a terminal', async () => {
    const answer = await call({ url: `/v1/jars?${'n'.repeat(5_000)}=1&a%1b%5b31m%0d%0ab=2` })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ errors: [{ pointer: `/${'n'.repeat(64)}…` }, { pointer: '/a\uFFFD[31m\uFFFD\uFFFDb' }] })
  })
})

describe('errors', () => {
  it('show nothing of the inside, and are logged under their trace id', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const answer = await call({ url: '/v1/odd/broken', headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } })
    expect([answer.statusCode, answer.json()]).toEqual([
      500,
      {
        type: '/problems/internal',
        title: 'Internal',
        status: 500,
        detail: 'Something went wrong here. The trace id names it in the logs.',
        instance: '/v1/odd/broken',
        traceId,
      },
    ])
    const line = demo.lines.find((each) => each.includes('SELECT secret'))
    expect(JSON.parse(line ?? '{}')).toMatchObject({ app: 'demo', level: 'error', traceId })
  })

  it('say 503 with Retry-After while a dependency is away', async () => {
    const answer = await call({ url: '/v1/odd/down' })
    expect([answer.statusCode, answer.headers['retry-after'], slug(answer)]).toEqual([503, '1', 'unavailable'])
    expect(answer.body).not.toContain('10.0.0.7')
  })

  it('keep tokens and bodies out of the logs', async () => {
    const token = await demo.token('c-log')
    await post('/v1/jars', { ...good, label: 'very-private' }, { authorization: `Bearer ${token}` })
    await post('/v1/jars', '{"very-private', { authorization: `Bearer ${token}` })
    expect(demo.lines.join('')).not.toMatch(/very-private/)
    expect(demo.lines.join('')).not.toContain(token.slice(0, 40))
  })
})

describe('the rate limit', () => {
  it('lets a burst through, refills, and counts each caller apart', async () => {
    const clock = new FakeClock(Date.now())
    const limited = await demoApp({ RATE_LIMIT_PER_SECOND: 2, RATE_LIMIT_BURST: 3 }, clock)
    const status = async (sub: string) => {
      const { statusCode, headers } = await limited.app.inject({ url: '/v1/jars', headers: await limited.as(sub) })
      return [statusCode, headers.ratelimit, headers['ratelimit-policy']]
    }
    const policy = '"default";q=3;w=2'
    expect(await status('a')).toEqual([200, '"default";r=2;t=2', policy])
    await status('a')
    expect(await status('a')).toEqual([200, '"default";r=0;t=2', policy])
    expect(await status('a')).toEqual([429, '"default";r=0;t=1', policy])
    expect((await status('b'))[0]).toBe(200)
    clock.advance(500)
    expect((await status('a'))[0]).toBe(200)
    expect((await status('a'))[0]).toBe(429)
    await limited.app.close()
  })

  it('counts calls without a token by address, and leaves probes alone', async () => {
    const limited = await demoApp({ RATE_LIMIT_PER_SECOND: 1, RATE_LIMIT_BURST: 1 }, new FakeClock(Date.now()))
    const status = async (url: string, remoteAddress: string) => (await limited.app.inject({ url, remoteAddress })).statusCode
    expect(await status('/v1/odd/open', '10.0.0.1')).toBe(200)
    expect(await status('/v1/odd/open', '10.0.0.1')).toBe(429)
    expect(await status('/v1/odd/open', '10.0.0.2')).toBe(200)
    for (let i = 0; i < 5; i++) expect(await status('/health/live', '10.0.0.1')).toBe(200)
    await limited.app.close()
  })
})

it('believes what a proxy says of an address only where it is told to', async () => {
  const limits = { RATE_LIMIT_PER_SECOND: 1, RATE_LIMIT_BURST: 1 }
  const second = async (config: object, remoteAddress: string) => {
    const limited = await demoApp({ ...limits, ...config }, new FakeClock(Date.now()))
    const from = async (address: string) =>
      (await limited.app.inject({ url: '/v1/odd/open', remoteAddress, headers: { 'x-forwarded-for': address } })).statusCode
    expect(await from('203.0.113.1')).toBe(200)
    const status = await from('203.0.113.2')
    await limited.app.close()
    return status
  }
  expect(await second({}, '10.0.0.1')).toBe(429)
  expect(await second({ TRUST_PROXY: 'uniquelocal' }, '10.0.0.1')).toBe(200)
  expect(await second({ TRUST_PROXY: '10.0.0.0/24' }, '10.0.0.1')).toBe(200)
  expect(await second({ TRUST_PROXY: 'uniquelocal' }, '198.51.100.7')).toBe(429)
})

it('keeps the bytes of a body where a route asks for them', async () => {
  const answer = await app.inject({ method: 'POST', url: '/v1/odd/webhook', headers: json, payload: '{ "a":  1 }' })
  expect(answer.json()).toEqual({ bytes: '{ "a":  1 }' })
})

it('sends the security headers with every answer', async () => {
  const always = {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
  }
  const unstored = { ...always, 'cache-control': 'no-store' }
  for (const [url, sub, status, expected] of [
    ['/v1/jars', 'c-1', 200, unstored],
    ['/health/live', null, 200, unstored],
    ['/v1/odd/open', null, 200, always],
    ['/v1/jars', null, 401, unstored],
    ['/v1/odd/merchants', 'c-1', 403, unstored],
    [`/v1/jars/${foreign}`, 'c-1', 404, unstored],
    ['/v1/nowhere', null, 404, always],
    ['/v1/jars/%E0%A4%A', null, 400, always],
    ['/v1/odd/broken', null, 500, always],
  ] as const) {
    const { statusCode, headers } = await call({ url }, sub)
    expect([url, statusCode, headers]).toEqual([url, status, expect.objectContaining(expected)])
  }
})
