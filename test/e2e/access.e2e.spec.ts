import { beforeAll, describe, expect, it } from '@jest/globals'
import { generateKeyPair, SignJWT } from 'jose'
import { examplesOf, fetchDocument, makeThings, operationsOf, urlOf, type Example, type Operation, type Things } from './operations.js'
import { baseUrl, call, inr, makeCustomer, newKey, token, type Answer, type Options } from './shop.js'

let operations: Operation[]
let things: Things
let examples: Readonly<Record<string, Example>>

beforeAll(async () => {
  operations = operationsOf(await fetchDocument())
  things = await makeThings()
  examples = examplesOf(things)
})

const guarded = () => operations.filter(({ open }) => !open)
const slug = (answer: Answer): string => String(answer.body['type']).replace('/problems/', '')
const ask = (operation: Operation, options: Options): Promise<Answer> => {
  const example = examples[operation.id] ?? {}
  return call(operation.method, urlOf(operation, example), { body: example.bodies?.[0], key: newKey(), ...options })
}
const answersOf = (among: readonly Operation[], options: Options | ((operation: Operation) => Options)) =>
  Promise.all(
    among.map(async (operation) => {
      const answer = await ask(operation, typeof options === 'function' ? options(operation) : options)
      return { id: operation.id, status: answer.status, type: answer.headers.get('content-type'), slug: slug(answer) }
    }),
  )
const notSo = (answers: readonly { id: string; status: number; type: string | null }[], status: number) =>
  answers.filter((answer) => answer.status !== status || answer.type !== 'application/problem+json')

describe('tokens', () => {
  it('every operation but the open ones wants one', async () => {
    expect(guarded().length).toBeGreaterThan(30)
    expect(notSo(await answersOf(guarded(), {}), 401)).toEqual([])
  })

  it('the open ones are those that the contract opens', () => {
    expect(
      operations
        .filter(({ open }) => open)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([
      'GET /health/live',
      'GET /health/ready',
      'GET /metrics',
      'GET /v1/dev/jwks',
      'GET /v1/payments/{id}/callback',
      'GET /v1/products',
      'GET /v1/products/{sku}',
      'POST /v1/dev/token',
      'POST /v1/webhooks/{provider}',
    ])
  })

  it('of HS256, of no algorithm, expired, of another key, issuer or audience, changed: 401', async () => {
    const good = await token('c-1', 'admin')
    const [head = '', payload = '', signature = ''] = good.split('.')
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: string; kid: string }
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const jwks = await call('GET', '/v1/dev/jwks')
    const { privateKey } = await generateKeyPair('ES256')
    const signed = (more: object, head_of: object = {}) =>
      new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'ES256', kid: header.kid, ...head_of }).sign(privateKey)
    const bad: Readonly<Record<string, string>> = {
      // The classic: the public key as the shared secret.
      'HS256 with the public key': await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: header.kid })
        .sign(Buffer.from(jwks.text)),
      none: `${encoded({ alg: 'none' })}.${payload}.`,
      'none, with the kid': `${encoded({ alg: 'none', kid: header.kid })}.${payload}.${signature}`,
      'another key under our kid': await signed({}),
      'a key of its own in the head': await signed({}, { jwk: { kty: 'EC' } }),
      'a foreign issuer': await signed({ iss: 'https://elsewhere.test' }),
      'another audience': await signed({ aud: 'elsewhere' }),
      expired: await signed({ exp: 1_700_000_000 }),
      'changed roles': `${head}.${encoded({ ...claims, sub: 'somebody-else' })}.${signature}`,
      'a changed signature': `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      rubbish: 'rubbish',
      'far too long': 'a'.repeat(9_000),
    }
    for (const [what, each] of Object.entries(bad)) {
      const answer = await call('GET', '/v1/sagas', { token: each })
      expect([what, answer.status, slug(answer), answer.headers.get('www-authenticate')]).toEqual([
        what,
        401,
        'unauthorized',
        expect.stringContaining('Bearer realm="bahi", error="invalid_token"'),
      ])
    }
    expect((await call('GET', '/v1/sagas', { token: good })).status).toBe(200)
    expect((await call('GET', '/v1/sagas', { headers: { authorization: 'Basic YTpi' } })).status).toBe(401)
  })

  it('the development issuer gives what its JWKS proves, for roles that there are', async () => {
    const answer = await call('POST', '/v1/dev/token', { body: { sub: 'c-1', roles: ['customer', 'merchant'] } })
    expect([answer.status, typeof answer.body['accessToken'], answer.headers.get('cache-control')]).toEqual([200, 'string', 'no-store'])
    expect(Number(answer.body['expiresIn'])).toBeGreaterThan(0)
    const jwks = (await call('GET', '/v1/dev/jwks')).body as unknown as { keys: Record<string, unknown>[] }
    expect(jwks.keys.length).toBeGreaterThan(0)
    expect(jwks.keys.flatMap((key) => Object.keys(key)).filter((name) => ['d', 'p', 'q', 'k'].includes(name))).toEqual([])
    expect((await call('POST', '/v1/dev/token', { body: { sub: 'c-1', roles: ['pirate'] } })).status).toBe(400)
  })
})

describe('roles and ownership', () => {
  it('a token without roles may do nothing that is guarded', async () => {
    const nobody = await token('c-1')
    expect(notSo(await answersOf(guarded(), { token: nobody }), 403)).toEqual([])
  })

  it('what a customer may not do is 403, what is somebody else’s is 404', async () => {
    const stranger = await makeCustomer()
    const answers = await answersOf(guarded(), { token: stranger.token })
    const statuses = Object.fromEntries(answers.map(({ id, status }) => [id, status]))
    expect(
      Object.entries(statuses)
        .filter(([, status]) => status === 404)
        .map(([id]) => id)
        .sort(),
    ).toEqual([
      'GET /v1/orders/{id}',
      'GET /v1/orders/{id}/history',
      'GET /v1/orders/{id}/payment',
      'GET /v1/wallets',
      'GET /v1/wallets/{id}',
      'GET /v1/wallets/{id}/beneficiaries/{walletId}',
      'GET /v1/wallets/{id}/entries/{version}',
      'GET /v1/wallets/{id}/holds/{holdId}',
      'GET /v1/wallets/{id}/loads/{loadId}',
      'GET /v1/wallets/{id}/statement',
      'POST /v1/orders/{id}/cancel',
      'POST /v1/orders/{id}/return',
      'POST /v1/transfers',
      'POST /v1/wallets/{id}/holds',
      'POST /v1/wallets/{id}/holds/{holdId}/capture',
      'POST /v1/wallets/{id}/holds/{holdId}/release',
      'POST /v1/wallets/{id}/loads',
      'PUT /v1/wallets/{id}/beneficiaries/{walletId}',
    ])
    // One's own list, an order of one's own, and a wallet for somebody else, which is a matter of roles.
    expect(statuses['GET /v1/orders']).toBe(200)
    expect(statuses['POST /v1/orders']).toBe(201)
    expect(answers.filter(({ id, status }) => ![403, 404].includes(status) && !['GET /v1/orders', 'POST /v1/orders'].includes(id))).toEqual(
      [],
    )
  })

  it('what is not there is answered like what is somebody else’s', async () => {
    const stranger = await makeCustomer()
    const [foreign, missing] = await Promise.all(
      [things.walletId, '0190a000-0000-7000-8000-00000000dead'].map((id) => call('GET', `/v1/wallets/${id}`, { token: stranger.token })),
    )
    const told = (answer: Answer | undefined) => [answer?.status, answer?.body['type'], answer?.body['title'], answer?.body['detail']]
    expect(told(foreign)).toEqual(told(missing))
  })

  it('a list shows one’s own only, whatever customerId says', async () => {
    const stranger = await makeCustomer()
    const list = await call('GET', `/v1/orders?customerId=${encodeURIComponent('e2e-nobody')}&limit=100`, { token: stranger.token })
    expect(list.body['items']).toEqual([])
  })
})

describe('the order of checks', () => {
  const order = '/v1/orders'
  const huge = JSON.stringify({ a: 'x'.repeat(300_000) })

  it('401 before 413, 415, malformed JSON, 404 and fields', async () => {
    for (const options of [
      { body: huge },
      { body: '{', headers: {} },
      { body: {}, headers: { 'content-type': 'text/plain' } },
      { body: {} },
    ])
      expect((await call('POST', order, options)).status).toBe(401)
    expect((await call('GET', '/v1/wallets/x')).status).toBe(401)
  })

  it('413, 415 and malformed JSON before 403', async () => {
    const risk = await token('r-1', 'risk')
    const post = (options: Options) => call('POST', order, { token: risk, ...options })
    expect((await post({ body: huge })).status).toBe(413)
    expect((await post({ body: huge, headers: { 'content-type': 'text/plain' } })).status).toBe(413)
    expect((await post({ body: '{}', headers: { 'content-type': 'text/plain' } })).status).toBe(415)
    expect((await post({ body: '{' })).status).toBe(400)
    expect((await post({ body: '{}' })).status).toBe(403)
  })

  it('403 before 404, 404 before fields, fields before idempotency, idempotency before 412, 412 before 422', async () => {
    const auditor = await token('a-1', 'auditor')
    const holds = (id: string, options: Options) => call('POST', `/v1/wallets/${id}/holds`, { token: things.all, ...options })
    const none = '0190a000-0000-7000-8000-00000000dead'
    expect((await holds('x', { token: auditor, body: {} })).status).toBe(403)
    expect((await holds('x', { body: {} })).status).toBe(404)
    expect((await holds(none, { body: { surprise: 1 } })).status).toBe(404)
    const wrong = await holds(things.walletId, { body: { surprise: 1 } })
    expect([wrong.status, slug(wrong)]).toEqual([400, 'invalid-input'])
    const body = { amount: inr(10), reference: 'checks' }
    const keyless = await holds(things.walletId, { body })
    expect([keyless.status, slug(keyless)]).toEqual([400, 'idempotency-key-missing'])

    const key = newKey()
    expect((await holds(things.walletId, { body, key })).status).toBe(201)
    const reused = await holds(things.walletId, { body: { ...body, amount: inr(11) }, key, headers: { 'if-match': '"999"' } })
    expect([reused.status, slug(reused)]).toEqual([422, 'idempotency-key-reused'])
    const replayed = await holds(things.walletId, { body, key, headers: { 'if-match': '"999"' } })
    expect([replayed.status, replayed.headers.get('idempotency-replayed')]).toEqual([201, 'true'])

    const tooMuch = { amount: inr(99_999_999_999), reference: 'checks' }
    const moved = await holds(things.walletId, { body: tooMuch, key: newKey(), headers: { 'if-match': '"999"' } })
    expect([moved.status, slug(moved)]).toEqual([412, 'version-mismatch'])
    const short = await holds(things.walletId, { body: tooMuch, key: newKey() })
    expect([short.status, slug(short)]).toEqual([422, 'insufficient-funds'])
  })
})

describe('beside the operations', () => {
  it('HEAD answers as GET, without a body', async () => {
    for (const path of ['/v1/products', `/v1/products/${things.sku}`, '/health/live', '/openapi.json']) {
      const [head, get] = await Promise.all([call('HEAD', path), call('GET', path)])
      expect([path, head.status, head.text, head.headers.get('content-type')]).toEqual([path, 200, '', get.headers.get('content-type')])
    }
  })

  it('a path that is not there is 404, a method 405 with Allow, both problems', async () => {
    for (const path of [
      '/nowhere',
      '/v1',
      '/v1/orders/',
      '/v1/orders/x/tracking',
      '/v1/analytics/sales',
      '/v1/ops/projections',
      '/docs/nowhere',
    ]) {
      const answer = await call('GET', path, { token: things.all })
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 404, 'application/problem+json'])
    }
    for (const [method, path, allow] of [
      ['GET', '/v1/sagas/retry', 'POST'],
      ['DELETE', '/v1/orders', 'GET, HEAD, POST'],
      ['PATCH', `/v1/products/${things.sku}`, 'GET, HEAD, PUT'],
      ['GET', '/v1/transfers', 'POST'],
      ['POST', '/health/live', 'GET, HEAD'],
      ['DELETE', '/openapi.json', 'GET, HEAD'],
      ['QUERY', '/v1/products', 'GET, HEAD'],
      ['PURGE', '/v1/orders', 'GET, HEAD, POST'],
    ] as const) {
      const answer = await call(method, path)
      expect([method, path, answer.status, answer.headers.get('allow'), answer.headers.get('content-type')]).toEqual([
        method,
        path,
        405,
        allow,
        'application/problem+json',
      ])
    }
  })

  it('a problem names its request by path and trace', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const answer = await call('GET', '/v1/wallets/x?secret=1', {
      token: things.all,
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    })
    expect(answer.body).toMatchObject({ status: 404, instance: '/v1/wallets/x', traceId })
  })

  it('health, metrics and the documents of the whole', async () => {
    const [live, ready, metrics, docs, script] = await Promise.all(
      ['/health/live', '/health/ready', '/metrics', '/docs/', '/docs/swagger-initializer.js'].map((path) => call('GET', path)),
    )
    expect(live?.body).toEqual({ status: 'ok', checks: {} })
    expect(Object.keys(Object(ready?.body['checks']) as object).sort()).toEqual([
      'fraud',
      'order-command',
      'order-query',
      'payment-saga',
      'wallet',
    ])
    expect(metrics?.headers.get('content-type')).toContain('text/plain')
    expect(metrics?.text).toMatch(/^http_request\w*_count\{.*route="\/v1\/orders".*\} \d+$/m)
    expect(docs?.text).toContain('swagger-ui')
    expect(script?.text).toContain('/openapi.json')
    expect((await fetch(`${baseUrl()}/docs`, { redirect: 'manual' })).status).toBe(302)
  })

  it('every answer tells browsers not to guess, nor to frame it or run anything of it, and what is guarded not to keep it', async () => {
    const answer = await call('GET', '/v1/orders', { token: things.all })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('ratelimit')).toMatch(/^"default";r=\d+;t=\d+$/)
    const paths = ['/v1/orders', '/v1/nowhere', '/', '/docs', '/openapi.json', '/health/live', '/health/ready', '/metrics']
    const page = ['/docs/', '/docs/swagger-ui.css', '/docs/swagger-initializer.js']
    for (const path of [...paths, ...page]) {
      const { headers } = await fetch(`${baseUrl()}${path}`, { redirect: 'manual', signal: AbortSignal.timeout(30_000) })
      const policy = headers.get('content-security-policy') ?? ''
      const said = ['x-content-type-options', 'x-frame-options', 'referrer-policy', 'strict-transport-security'].map((name) =>
        headers.get(name),
      )
      expect([path, ...said]).toEqual([path, 'nosniff', 'DENY', 'no-referrer', 'max-age=31536000; includeSubDomains'])
      expect([path, policy.startsWith("default-src 'none'; frame-ancestors 'none'")]).toEqual([path, true])
      expect([path, policy.includes("script-src 'self'; ")]).toEqual([path, page.includes(path)])
    }
    // The page to try the API at has no script but of files of its own, which is all that it may run.
    const { text } = await call('GET', '/docs/')
    expect([...text.matchAll(/<script([^>]*)>/g)].map(([, has = '']) => / src="\.\/[\w-]+\.js"/.test(has))).toEqual([true, true, true])
    expect(text).not.toMatch(/ on\w+=|(src|href)="(https?:)?\/\//)
  })
})
