import { beforeAll, describe, expect, it } from '@jest/globals'
import {
  at,
  call,
  getOrder,
  getPayment,
  inr,
  makeCustomer,
  makeProduct,
  makeWallet,
  newKey,
  newSku,
  orderBody,
  placeOrder,
  poll,
  readAfter,
  staffToken,
  type Answer,
  type Customer,
} from './shop.js'

let customer: Customer
let merchant: string
let support: string
let sku: string
let walletId: string

beforeAll(async () => {
  ;[customer, merchant, support] = await Promise.all([makeCustomer(), staffToken('merchant'), staffToken('support')])
  ;[sku, walletId] = await Promise.all([makeProduct({ stock: 10_000 }), makeWallet(customer, 1_000_000)])
})

const slug = (answer: Answer): string => String(answer.body['type']).replace('/problems/', '')
const times = (count: number, work: () => Promise<Answer>): Promise<Answer[]> => Promise.all(Array.from({ length: count }, work))
/** What a repeat must give again. */
const kept = ({ status, headers, text }: Answer) => [
  status,
  text,
  ...['content-type', 'location', 'etag', 'consistency-token'].map((name) => headers.get(name)),
]
const replayed = ({ headers }: Answer) => headers.get('idempotency-replayed')
const credit = (key: string, amount = 100, token = support) =>
  call('POST', `/v1/wallets/${walletId}/credits`, { token, key, body: { amount: inr(amount), reference: 'conventions' } })
const debit = (key: string, amount: number) =>
  call('POST', `/v1/wallets/${walletId}/debits`, { token: support, key, body: { amount: inr(amount), reference: 'conventions' } })

describe('idempotency', () => {
  it('one key sent 50 times at once: one order, 50 equal bodies', async () => {
    const buyer = await makeCustomer()
    const key = newKey()
    const answers = await times(50, () => placeOrder(buyer, sku, { method: 'cod' }, 1, key))
    expect(new Set(answers.map((answer) => JSON.stringify(kept(answer)))).size).toBe(1)
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 201))
    expect(answers.filter((answer) => replayed(answer) === 'true')).toHaveLength(49)
    expect(answers.filter((answer) => replayed(answer) === null)).toHaveLength(1)
    const [first] = answers
    if (!first) throw new Error('no answer')
    const orders = await readAfter(first, '/v1/orders', buyer.token)
    expect(orders.body['items']).toHaveLength(1)
  })

  it.each([
    // Things that nothing else moves meanwhile: an order of another test would.
    [
      'credits',
      async () => {
        const owner = await makeCustomer()
        const id = await makeWallet(owner, 100)
        const body = { amount: inr(7), reference: 'conventions' }
        const move = (key: string) => call('POST', `/v1/wallets/${id}/credits`, { token: support, key, body })
        return { move, path: `/v1/wallets/${id}`, token: owner.token }
      },
      'balance.amount',
    ],
    [
      'stock',
      async () => {
        const product = await makeProduct({ stock: 100 })
        const path = `/v1/products/${product}`
        return { move: (key: string) => call('POST', `${path}/stock`, { token: merchant, key, body: { received: 7 } }), path }
      },
      'available',
    ],
  ])('one key sent 20 times at once: %s move once', async (_, make, what) => {
    const { move, path, token }: { move(key: string): Promise<Answer>; path: string; token?: string } = await make()
    const key = newKey()
    const answers = await times(20, () => move(key))
    expect(new Set(answers.map((answer) => JSON.stringify(kept(answer)))).size).toBe(1)
    expect(answers.filter((answer) => replayed(answer) === 'true')).toHaveLength(19)
    // Once more, by another key, so that what might have been done twice would be seen by now.
    expect(at(await readAfter(await move(newKey()), path, token), what)).toBe('114')
  })

  it('is over the body as JSON: spacing and order of names do not matter, values do', async () => {
    const key = newKey()
    const headers = { 'idempotency-key': key }
    const path = `/v1/wallets/${walletId}/credits`
    const first = await call('POST', path, { token: support, headers, body: `{"amount":{"amount":"5","currency":"INR"},"reference":"a"}` })
    const same = await call('POST', path, {
      token: support,
      headers,
      body: `{ "reference":"\\u0061", "amount":{"currency":"INR","amount":"5"}}`,
    })
    expect([first.status, kept(same), replayed(same)]).toEqual([201, kept(first), 'true'])
    const other = await call('POST', path, { token: support, headers, body: `{"amount":{"amount":"6","currency":"INR"},"reference":"a"}` })
    expect([other.status, slug(other)]).toEqual([422, 'idempotency-key-reused'])
  })

  it('refusals are replayed, even when they would now be accepted', async () => {
    const key = newKey()
    const huge = 15_000_000
    const refused = await debit(key, huge)
    expect([refused.status, slug(refused)]).toEqual([422, 'insufficient-funds'])
    await credit(newKey(), 500_000)
    const again = await debit(key, huge)
    expect([kept(again), replayed(again)]).toEqual([kept(refused), 'true'])

    const unknown = newSku()
    const orderKey = newKey()
    const missing = await placeOrder(customer, unknown, { method: 'cod' }, 1, orderKey)
    expect([missing.status, slug(missing)]).toEqual([422, 'unknown-product'])
    await makeProduct({ sku: unknown })
    const repeated = await placeOrder(customer, unknown, { method: 'cod' }, 1, orderKey)
    expect([kept(repeated), replayed(repeated)]).toEqual([kept(missing), 'true'])
  })

  it('is by caller, method and path', async () => {
    const key = newKey()
    const [a, b] = await Promise.all([makeCustomer(), makeCustomer()])
    const [one, two] = [await placeOrder(a, sku, { method: 'cod' }, 1, key), await placeOrder(b, sku, { method: 'cod' }, 1, key)]
    expect([one.status, two.status, replayed(two)]).toEqual([201, 201, null])
    expect(one.body['orderId']).not.toBe(two.body['orderId'])
    const [credited, debited] = [await credit(key, 3), await debit(key, 3)]
    expect([credited.status, debited.status, replayed(debited)]).toEqual([201, 201, null])
    expect((await credit(key, 3, await staffToken('admin'))).body['entryId']).not.toBe(credited.body['entryId'])
  })

  it('a key may be used again after 400, 403, 404 and 412', async () => {
    const key = newKey()
    const path = `/v1/wallets/${walletId}/credits`
    const body = { amount: inr(11), reference: 'again' }
    expect((await call('POST', path, { token: support, key, body: { ...body, amount: 1 } })).status).toBe(400)
    expect((await call('POST', path, { token: customer.token, key, body })).status).toBe(403)
    expect((await call('POST', path, { token: support, key, body, headers: { 'if-match': '"999999"' } })).status).toBe(412)
    const answer = await call('POST', path, { token: support, key, body: { ...body, reference: 'other than the refused ones' } })
    expect([answer.status, replayed(answer)]).toEqual([201, null])

    const stranger = await makeCustomer()
    const placed = await placeOrder(customer, sku, { method: 'cod' })
    const cancel = `/v1/orders/${String(placed.body['orderId'])}/cancel`
    expect((await call('POST', cancel, { token: stranger.token, key, body: {} })).status).toBe(404)
    expect((await call('POST', cancel, { token: customer.token, key, body: {} })).status).toBe(200)
  })

  it('is optional where the contract does not ask for it', async () => {
    const body = { received: 1 }
    const answers = await times(2, () => call('POST', `/v1/products/${sku}/stock`, { token: merchant, body }))
    expect(answers.map((answer) => [answer.status, replayed(answer)])).toEqual([
      [200, null],
      [200, null],
    ])
  })
})

describe('concurrency', () => {
  it('an ETag is the version of the resource, on changes and reads alike; If-Match holds a change to it', async () => {
    const read = await call('GET', `/v1/wallets/${walletId}`, { token: customer.token })
    const etag = read.headers.get('etag') ?? ''
    expect(etag).toBe(`"${String(read.body['version'])}"`)
    const path = `/v1/wallets/${walletId}/credits`
    const change = (ifMatch: string) =>
      call('POST', path, { token: support, key: newKey(), body: { amount: inr(1), reference: 'etag' }, headers: { 'if-match': ifMatch } })
    const answers = await times(10, () => change(etag))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 412)])
    expect(answers.filter(({ status }) => status === 412).map(slug)).toEqual(Array.from({ length: 9 }, () => 'version-mismatch'))
    const winner = answers.find(({ status }) => status === 201)
    expect(winner?.headers.get('etag')).toBe(`"${Number(read.body['version']) + 1}"`)
    expect((await change('*')).status).toBe(201)
  })

  it('an order’s ETag does not move with its payment, a product’s not with its stock', async () => {
    const placed = await placeOrder(customer, sku, { method: 'upi', vpa: 'success@upi' })
    const orderId = String(placed.body['orderId'])
    expect(placed.headers.get('etag')).toBe('"1"')
    await poll(
      () => getPayment(customer, orderId),
      (payment) => payment.body['status'] === 'COMPLETED',
    )
    const order = await poll(
      () => getOrder(customer, orderId),
      (answer) => at(answer, 'payment.captured.amount') === '10000',
    )
    expect([order.body['status'], order.headers.get('etag')]).toEqual(['CONFIRMED', '"2"'])
    const stale = await call('POST', `/v1/orders/${orderId}/cancel`, { token: customer.token, body: {}, headers: { 'if-match': '"1"' } })
    expect([stale.status, slug(stale)]).toEqual([412, 'version-mismatch'])

    const before = await call('GET', `/v1/products/${sku}`)
    await call('POST', `/v1/products/${sku}/stock`, { token: merchant, body: { received: 5 } })
    const after = await poll(
      () => call('GET', `/v1/products/${sku}`),
      (answer) => answer.body['available'] !== before.body['available'],
    )
    expect(after.headers.get('etag')).toBe(before.headers.get('etag'))
  })

  it('has no 304', async () => {
    const etag = (await call('GET', `/v1/products/${sku}`)).headers.get('etag') ?? ''
    expect((await call('GET', `/v1/products/${sku}`, { headers: { 'if-none-match': etag } })).status).toBe(200)
  })
})

describe('read your writes', () => {
  const tokenOf = (answer: Answer) => ({ 'consistency-token': answer.headers.get('consistency-token') ?? '' })

  it('orders, their lists, histories and payments are there at once with the token', async () => {
    for (let round = 0; round < 10; round++) {
      const buyer = await makeCustomer()
      const placed = await placeOrder(buyer, sku, { method: 'cod' })
      const orderId = String(placed.body['orderId'])
      const read = (path: string) => readAfter(placed, path, buyer.token)
      const [order, list, history, payment] = await Promise.all(
        [`/v1/orders/${orderId}`, '/v1/orders', `/v1/orders/${orderId}/history`, `/v1/orders/${orderId}/payment`].map(read),
      )
      expect([order?.status, list?.status, history?.status, payment?.status]).toEqual([200, 200, 200, 200])
      expect(list && [at(list, 'items.0.orderId'), at(list, 'items.1.orderId')]).toEqual([orderId, undefined])
    }
  })

  it('products and what is available of them too', async () => {
    for (let round = 0; round < 10; round++) {
      const fresh = newSku()
      const body = { title: `Fresh ${fresh}`, category: 'audio', price: inr(100 + round), gstRate: 18 }
      const put = await call('PUT', `/v1/products/${fresh}`, { token: merchant, body })
      expect((await readAfter(put, `/v1/products/${fresh}`)).status).toBe(200)
      const moved = await call('POST', `/v1/products/${fresh}/stock`, { token: merchant, body: { received: 9 } })
      expect((await readAfter(moved, `/v1/products/${fresh}`)).body['available']).toBe(9)
    }
  })

  it('apps that answer from their own writes take it and need not wait', async () => {
    const headers = tokenOf(await credit(newKey()))
    expect((await call('GET', `/v1/wallets/${walletId}`, { token: customer.token, headers })).status).toBe(200)
    expect((await call('GET', '/v1/sagas', { token: support, headers })).status).toBe(200)
    expect((await call('GET', '/v1/fraud/alerts', { token: await staffToken('risk'), headers })).status).toBe(200)
  })

  it('what cannot be reached is 503 after a while, never a stale answer; what is malformed is 400', async () => {
    const token = tokenOf(await placeOrder(customer, sku, { method: 'cod' }))['consistency-token']
    const [incarnation, stream, version] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [string, string, number]
    const made = (...content: unknown[]) => ({ 'consistency-token': Buffer.from(JSON.stringify(content)).toString('base64url') })
    // The last is of a store that was restored since: whether what it speaks of was lost then, nobody knows.
    const late = [
      made(incarnation, stream, version + 1_000),
      made('ffffffff-ffff-7fff-bfff-ffffffffffff', stream, version),
      made('00000000-0000-7000-8000-000000000001', stream, version),
    ]
    const answers = await Promise.all(late.map((headers) => call('GET', '/v1/orders', { token: customer.token, headers })))
    expect(answers.map((answer) => [answer.status, slug(answer), answer.headers.get('retry-after')])).toEqual([
      [503, 'not-yet-consistent', '1'],
      [503, 'not-yet-consistent', '1'],
      [503, 'not-yet-consistent', '1'],
    ])
    for (const headers of [{ 'consistency-token': 'rubbish' }, made(1), made(incarnation, stream), made(incarnation, stream, -1)]) {
      const answer = await call('GET', '/v1/orders', { token: customer.token, headers })
      expect([answer.status, slug(answer)]).toEqual([400, 'invalid-consistency-token'])
    }
  })
})

describe('lists', () => {
  type Page = { readonly items: readonly Record<string, string>[]; readonly nextCursor: string | null }
  const pagesOf = async (path: string, token: string, between: () => Promise<unknown>): Promise<Record<string, string>[]> => {
    const items: Record<string, string>[] = []
    let cursor: string | null = ''
    for (let page = 0; cursor !== null && page < 50; page++) {
      const answer = await call('GET', `${path}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`, { token })
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
      const { items: here, nextCursor } = answer.body as unknown as Page
      items.push(...here)
      cursor = nextCursor
      await between()
    }
    return items
  }

  it('a cursor stays right while rows are added', async () => {
    const buyer = await makeCustomer()
    const ids: string[] = []
    for (let each = 0; each < 7; each++) {
      const placed = await placeOrder(buyer, sku, { method: 'cod' })
      ids.push(String(placed.body['orderId']))
      // Each: in Kafka two orders are of two partitions, and the later one may be read first.
      expect((await readAfter(placed, '/v1/orders', buyer.token)).body['items']).toHaveLength(ids.length)
    }
    const seen = await pagesOf('/v1/orders?limit=2', buyer.token, () => placeOrder(buyer, sku, { method: 'cod' }))
    expect(seen.map(({ orderId }) => orderId)).toEqual(ids.toReversed())

    const forwards = await pagesOf('/v1/orders?limit=2&sort=placedAt', buyer.token, async () => undefined)
    expect(forwards.map(({ orderId }) => orderId).slice(0, 7)).toEqual(ids)
  })

  it('wallets’ statements and events are pages too', async () => {
    const owner = await makeCustomer()
    const id = await makeWallet(owner, 1_000)
    const add = () =>
      call('POST', `/v1/wallets/${id}/credits`, { token: support, key: newKey(), body: { amount: inr(1), reference: 'page' } })
    for (let each = 0; each < 4; each++) await add()
    const entries = await pagesOf(`/v1/wallets/${id}/statement?limit=2`, owner.token, async () => undefined)
    expect(entries).toHaveLength(5)
    expect(new Set(entries.map(({ entryId }) => entryId)).size).toBe(5)
    const events = await pagesOf(`/v1/wallets/${id}/events?limit=2`, await staffToken('auditor'), async () => undefined)
    expect(events.map(({ version }) => Number(version))).toEqual(events.map((_, index) => index + 1))
  })

  it('a list of another kind does not take its cursor', async () => {
    const page = await call('GET', '/v1/products?limit=1')
    const cursor = String(page.body['nextCursor'])
    const answer = await call('GET', `/v1/sagas?cursor=${cursor}`, { token: support })
    expect([answer.status, slug(answer)]).toEqual([400, 'invalid-cursor'])
  })
})

describe('limits of an order', () => {
  it('takes 100 lines and not 101, and each sku once', async () => {
    const skus = await Promise.all(Array.from({ length: 100 }, () => makeProduct({ stock: 0 })))
    const items = skus.map((each) => ({ sku: each, quantity: 1 }))
    const place = (lines: { sku: string; quantity: number }[]) =>
      call('POST', '/v1/orders', { token: customer.token, key: newKey(), body: orderBody(lines, { method: 'cod' }) })
    expect((await place(items)).status).toBe(201)
    const more = await place([...items, { sku, quantity: 1 }])
    expect([more.status, at(more, 'errors.0.pointer')]).toEqual([400, '/items'])
    const twice = await place([
      { sku, quantity: 1 },
      { sku, quantity: 2 },
    ])
    expect([twice.status, at(twice, 'errors.0.pointer')]).toEqual([400, '/items/1/sku'])
  })
})
