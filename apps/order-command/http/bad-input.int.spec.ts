import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openApiDocument } from '#platform'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { address, airdopes, basket } from '../testing/examples.js'
import { memoryApp } from '../testing/memory-app.js'

let app: NestFastifyApplication
let customer: { authorization: string }
let merchant: { authorization: string }

beforeAll(async () => {
  const made = await memoryApp()
  app = made.app
  customer = await made.tokens.as('c-1', 'customer')
  merchant = await made.tokens.as('m-1', 'merchant')
  await send('PUT', '/v1/products/BOAT-141', merchant, airdopes)
})
afterAll(() => app.close())

let keys = 0
const send = async (method: 'PUT' | 'POST', url: string, who: { authorization: string }, payload: unknown) => {
  const headers = { ...who, 'content-type': 'application/json', 'idempotency-key': `k-${++keys}` }
  const response = await app.inject({ method, url, headers, payload: JSON.stringify(payload) })
  return { status: response.statusCode, type: response.headers['content-type'], body: response.json<Record<string, unknown>>() }
}

const pointersOf = (body: Record<string, unknown>): readonly string[] => {
  const errors = body['errors']
  return Array.isArray(errors) ? errors.map(({ pointer }: { pointer: string }) => pointer) : []
}

const ABSENT = Symbol('absent')
type Path = readonly (string | number)[]

/** The example with one value put in place of another. */
const changed = (root: unknown, path: Path, value: unknown): unknown => {
  const [name, ...rest] = path
  if (name === undefined) return value
  if (Array.isArray(root)) return root.map((member: unknown, at) => (at === name ? changed(member, rest, value) : member))
  const members = { ...(root as Record<string, unknown>) }
  const next = changed(members[name], rest, value)
  if (next === ABSENT) delete members[name]
  else members[name] = next
  return members
}

interface Field {
  readonly path: Path
  readonly wrong: readonly unknown[]
  readonly optional?: true
}

const NO_STRING = [null, 7, true, [], {}]
const NO_NUMBER = [null, '7', true, [], {}, 1.5]
/** Of Visa, American Express and Maestro, as schemes give them out for tests. */
const CARD_NUMBERS = ['4111111111111111', '4111-1111-1111-1111', '378282246310005', '6759649826438453']
const NO_OBJECT = [null, 'x', 7, true, []]
const text = (path: Path, max: number, more: readonly unknown[] = [], optional?: true): Field => ({
  path,
  wrong: [...NO_STRING, '', '   ', 'x'.repeat(max + 1), 'a\u0000b', ...more],
  ...(optional && { optional }),
})

const moneyFields = (path: Path): readonly Field[] => [
  { path, wrong: NO_OBJECT },
  { path: [...path, 'amount'], wrong: [...NO_STRING, 1499.5, '0', '-1', '1.5', '01', '1e3', '', ' 1', '9'.repeat(17)] },
  { path: [...path, 'currency'], wrong: [...NO_STRING, 'USD', 'inr', ''] },
]

const wrongEachWay = (
  url: string,
  method: 'PUT' | 'POST',
  who: () => { authorization: string },
  example: unknown,
  fields: readonly Field[],
) => {
  const cases = fields.flatMap(({ path, wrong, optional }) => [...wrong, ...(optional ? [] : [ABSENT])].map((value) => ({ path, value })))
  it.each(
    cases.map(({ path, value }) => [
      `/${path.join('/')}`,
      typeof value === 'symbol' ? 'absent' : JSON.stringify(value).slice(0, 40),
      path,
      value,
    ]),
  )('%s: %s', async (pointer, _shown, path, value) => {
    const { status, type, body } = await send(method, url, who(), changed(example, path as Path, value))
    expect(status).toBe(400)
    expect(type).toMatch(/^application\/problem\+json/)
    expect(pointersOf(body).some((named) => named === pointer || named.startsWith(`${String(pointer)}/`))).toBe(true)
  })
}

describe('an order with one field wrong names it', () => {
  const post = (example: unknown, fields: readonly Field[]) => wrongEachWay('/v1/orders', 'POST', () => customer, example, fields)
  const withDevice = basket({ device: { id: 'phone-1' } })

  post(withDevice, [
    { path: ['items'], wrong: [null, 'x', 7, {}, [], Array.from({ length: 101 }, (_, n) => ({ sku: `S-${n}`, quantity: 1 }))] },
    // A line that is no object is named by its list.
    { path: ['items'], wrong: NO_OBJECT.map((line) => [line]) },
    text(['items', 0, 'sku'], 64, ['has space', '-x', 'ключ', 'a/b']),
    { path: ['items', 0, 'quantity'], wrong: [...NO_NUMBER, 0, -1, 10_001, 1e300] },
    { path: ['shippingAddress'], wrong: NO_OBJECT },
    text(['shippingAddress', 'name'], 100),
    text(['shippingAddress', 'line1'], 200),
    text(['shippingAddress', 'line2'], 200, [], true),
    text(['shippingAddress', 'city'], 100),
    text(['shippingAddress', 'state'], 2, ['XX', 'ka', '29', 'constructor']),
    text(['shippingAddress', 'pincode'], 6, ['012345', '56000', '56000a', '٥٦٠٠٠١']),
    text(['shippingAddress', 'phone'], 13, ['9876543210', '+915876543210', '+9198765432101', '+1 9876543210']),
    { path: ['payment'], wrong: NO_OBJECT },
    { path: ['payment', 'method'], wrong: [...NO_STRING, '', 'cash', 'emi', 'constructor'] },
    text(['payment', 'walletId'], 36, ['not-a-uuid']),
    { path: ['device'], wrong: NO_OBJECT, optional: true },
    text(['device', 'id'], 128, ['has space', 'ключ']),
    // What is no field of the call.
    { path: ['price'], wrong: [1], optional: true },
    { path: ['items', 0, 'unitPrice'], wrong: ['1'], optional: true },
    { path: ['shippingAddress', 'country'], wrong: ['IN'], optional: true },
    { path: ['payment', 'vpa'], wrong: ['success@upi'], optional: true },
    { path: ['device', 'os'], wrong: ['x'], optional: true },
  ])
  post(basket({ payment: { method: 'upi', vpa: 'success@upi', flow: 'collect' } }), [
    text(['payment', 'vpa'], 321, ['no-at', 'a@b', '@upi', 'x@1bank', 'a b@upi']),
    { path: ['payment', 'flow'], wrong: [...NO_STRING, 'push', ''], optional: true },
    { path: ['payment', 'walletId'], wrong: ['x'], optional: true },
  ])
  post(basket({ payment: { method: 'card', token: 'tok_success' } }), [
    text(['payment', 'token'], 128, ['has space', ...CARD_NUMBERS]),
    { path: ['payment', 'number'], wrong: ['4111111111111111'], optional: true },
  ])
  post(basket({ payment: { method: 'netbanking', bankCode: 'SBOX_SUCCESS' } }), [text(['payment', 'bankCode'], 32, ['lower', 'A', 'A B'])])
  const split = {
    method: 'split',
    walletId: '0190a000-0000-7000-8000-0000000000aa',
    amount: { amount: '100', currency: 'INR' },
    other: { method: 'card', token: 'tok_success' },
  }
  post(basket({ payment: split }), [
    text(['payment', 'walletId'], 36, ['not-a-uuid']),
    ...moneyFields(['payment', 'amount']),
    { path: ['payment', 'other'], wrong: NO_OBJECT },
    { path: ['payment', 'other', 'method'], wrong: [...NO_STRING, 'cod', 'wallet', 'split', ''] },
    text(['payment', 'other', 'token'], 128, ['has space', ...CARD_NUMBERS]),
    { path: ['payment', 'other', 'walletId'], wrong: ['x'], optional: true },
  ])
  post(basket({ payment: { method: 'cod' } }), [{ path: ['payment', 'token'], wrong: ['x'], optional: true }])

  it("but a token of the provider's is none", async () => {
    for (const token of ['cust_x/token_y', 'tok_success', 'tok_4111111111111111'])
      expect(await send('POST', '/v1/orders', customer, basket({ payment: { method: 'card', token } }))).toMatchObject({ status: 201 })
  })

  it('that has a sku on two lines', async () => {
    const items = [
      { sku: 'BOAT-141', quantity: 1 },
      { sku: 'OTHER-1', quantity: 1 },
      { sku: 'BOAT-141', quantity: 2 },
    ]
    const { status, body } = await send('POST', '/v1/orders', customer, basket({ items }))
    expect(status).toBe(400)
    expect(pointersOf(body)).toEqual(['/items/2/sku'])
  })

  it('but 100 lines and every optional field absent is none', async () => {
    const items = Array.from({ length: 100 }, (_, n) => ({ sku: `S-${n}`, quantity: 1 }))
    expect(await send('POST', '/v1/orders', customer, basket({ items }))).toMatchObject({
      status: 422,
      body: { type: '/problems/unknown-product' },
    })
    expect(await send('POST', '/v1/orders', customer, basket({ shippingAddress: { ...address, line2: 'Ashok Nagar' } }))).toMatchObject({
      status: 201,
    })
  })
})

describe('a product with one field wrong names it', () => {
  wrongEachWay('/v1/products/P-1', 'PUT', () => merchant, airdopes, [
    text(['title'], 200),
    text(['description'], 5_000, [], true),
    text(['category'], 64),
    text(['brand'], 100, [], true),
    ...moneyFields(['price']),
    { path: ['gstRate'], wrong: [...NO_NUMBER, 12, 28, -5, 101] },
    text(['hsn'], 8, ['851', '85181', 'ABCD'], true),
    { path: ['attributes'], wrong: [null, 'x', 7, [], { colour: 7 }, { colour: '' }, { colour: 'x'.repeat(201) }], optional: true },
    { path: ['available'], wrong: [7], optional: true },
  ])

  it.each(['-x', 'a,b', 'a%20b', 'x'.repeat(65)])('but a sku that is none, %s, is 404 before them', async (sku) => {
    for (const body of [airdopes, { ...airdopes, title: 7 }])
      expect(await send('PUT', `/v1/products/${sku}`, merchant, body)).toMatchObject({ status: 404, body: { type: '/problems/not-found' } })
  })
})

describe('a change of stock with one field wrong names it', () => {
  const url = '/v1/products/BOAT-141/stock'
  wrongEachWay(url, 'POST', () => merchant, { received: 5 }, [
    { path: ['received'], wrong: [...NO_NUMBER, 0, -1, 1e12] },
    { path: ['adjusted'], wrong: [3], optional: true },
    { path: ['reason'], wrong: ['why'], optional: true },
    { path: ['onHand'], wrong: [3], optional: true },
  ])
  wrongEachWay(
    url,
    'POST',
    () => merchant,
    { adjusted: -1, reason: 'broken' },
    [{ path: ['adjusted'], wrong: [...NO_NUMBER, 0, 1e12, -1e12] }, text(['reason'], 200)].map((field) =>
      field.path[0] === 'adjusted' ? { ...field, optional: true as const } : field,
    ),
  )

  it.each(['NO-1', '-x', 'a,b', 'x'.repeat(65)])('but a product that is not there, %s, is 404 before them', async (sku) => {
    for (const body of [{ received: 5 }, { received: -1 }, {}])
      expect(await send('POST', `/v1/products/${sku}/stock`, merchant, body)).toMatchObject({
        status: 404,
        body: { type: '/problems/not-found' },
      })
  })

  it('that says neither', async () => {
    const { status, body } = await send('POST', url, merchant, {})
    expect(status).toBe(400)
    expect(pointersOf(body)).toEqual(['/received'])
  })
})

describe('a body that is no object', () => {
  it.each([null, [], 'x', 7, true])('%j', async (payload) => {
    expect(await send('POST', '/v1/orders', customer, payload)).toMatchObject({ status: 400 })
    expect(await send('PUT', '/v1/products/P-1', merchant, payload)).toMatchObject({ status: 400 })
    expect(await send('POST', '/v1/products/BOAT-141/stock', merchant, payload)).toMatchObject({ status: 400 })
  })
})

describe('OpenAPI', () => {
  it('has the calls and no other', () => {
    const { paths } = openApiDocument(app)
    const calls = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
    expect(calls.filter((call) => call.includes('/v1/')).sort()).toEqual([
      'post /v1/orders',
      'post /v1/orders/{id}/cancel',
      'post /v1/orders/{id}/deliver',
      'post /v1/orders/{id}/out-for-delivery',
      'post /v1/orders/{id}/pack',
      'post /v1/orders/{id}/return',
      'post /v1/orders/{id}/return/accept',
      'post /v1/orders/{id}/ship',
      'post /v1/products/{sku}/stock',
      'put /v1/products/{sku}',
    ])
  })
})
