import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { twoAirdopes } from '#order-http/testing'
import { INCARNATION, messages, orderId, RESTORED } from './testing/messages.js'
import { openWorld, type GetOptions, type World } from './testing/world.js'

const own: GetOptions = { as: ['c-1', 'customer'] }
const support: GetOptions = { as: ['s-1', 'support'] }
const merchant: GetOptions = { as: ['m-1', 'merchant'] }
const address = { name: 'Asha Rao', line1: '14 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' }
const inr = (amount: string) => ({ amount, currency: 'INR' })

describe('order-query over HTTP', () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
    await world.app.init()
  })
  afterAll(() => world.close())

  const place = (number: number, more: Parameters<typeof messages.placed>[0] = {}) =>
    messages.placed({ orderId: orderId(number), shippingAddress: world.sealed(JSON.stringify(address)), ...more })

  describe('one order', () => {
    it('is shown whole to its owner, with its version as ETag', async () => {
      await world.feed(place(1), messages.confirmed({ orderId: orderId(1), version: 2 }))
      const { status, headers, body } = await world.get(`/v1/orders/${orderId(1)}`, own)
      expect(status).toBe(200)
      expect(headers['etag']).toBe('"2"')
      expect(body).toEqual({
        orderId: orderId(1),
        customerId: 'c-1',
        status: 'CONFIRMED',
        shippingAddress: address,
        ...twoAirdopes,
        placedAt: '2026-11-01T10:00:00.000Z',
        updatedAt: '2026-11-01T10:00:01.000Z',
        version: 2,
      })
    })

    it('shows the address to its owner and support alone, and nothing of it once it cannot be opened', async () => {
      await world.feed(place(2), messages.placed({ orderId: orderId(3) }))
      const shown = async (options: GetOptions, number = 2) => {
        const { status, body } = await world.get(`/v1/orders/${orderId(number)}`, options)
        return [status, body['shippingAddress']]
      }
      expect(await shown(own)).toEqual([200, address])
      expect(await shown(support)).toEqual([200, { ...address, phone: '+91******3210' }])
      for (const role of ['risk', 'auditor', 'admin', 'merchant'] as const)
        expect(await shown({ as: ['x-1', role] })).toEqual([200, undefined])
      expect(await shown(own, 3)).toEqual([200, undefined])
    })

    it('shows no address any more once the person was erased, while the order stays', async () => {
      const shippingAddress = await world.sealedFor('c-erased', JSON.stringify(address))
      await world.feed(messages.placed({ orderId: orderId(0xe5), customerId: 'c-erased', shippingAddress }))
      const path = `/v1/orders/${orderId(0xe5)}`
      expect((await world.get(path, { as: ['c-erased', 'customer'] })).body['shippingAddress']).toEqual(address)
      await world.erase('c-erased')
      await eventually('the key is forgotten here too', async () => {
        const { status, body } = await world.get(path, support)
        expect([status, body['orderId'], body['totals']]).toEqual([200, orderId(0xe5), expect.anything()])
        return !('shippingAddress' in body)
      })
      expect((await world.get('/v1/orders?customerId=c-erased', support)).body.items).toEqual([
        expect.not.objectContaining({ shippingAddress: expect.anything() }),
      ])
    })

    it('is 404 for anybody else, as one that never was and as an id that is none', async () => {
      await world.feed(place(4))
      const stranger: GetOptions = { as: ['c-2', 'customer'] }
      for (const path of [orderId(4), orderId(0xdead), 'not-a-uuid', "' OR 1=1 --", '%00'].map((each) => encodeURI(each)))
        for (const suffix of ['', '/history']) {
          const { status, body } = await world.get(`/v1/orders/${path}${suffix}`, stranger)
          expect([path, status, body['type']]).toEqual([path, 404, '/problems/not-found'])
        }
      expect((await world.get(`/v1/orders/${orderId(4)}`)).status).toBe(401)
      expect((await world.get(`/v1/orders/${orderId(4)}`, { as: ['app', 'service'] })).status).toBe(403)
    })

    it('takes a payment that comes before its order, and is not seen before it is placed', async () => {
      const id = orderId(5)
      await world.feed(messages.payment({ orderId: id, status: 'WAITING', method: 'upi', captured: '0' }))
      await world.feed(messages.scored({ orderId: id }))
      expect((await world.get(`/v1/orders/${id}`, own)).status).toBe(404)
      expect((await world.get(`/v1/orders/${id}/history`, support)).status).toBe(404)
      await world.feed(place(5, { payment: { method: 'upi', flow: 'intent', display: 's***@upi' } }))
      const { body } = await world.get(`/v1/orders/${id}`, own)
      expect(body['payment']).toEqual({
        paymentId: '0190a000-0000-7000-8000-0000000000d1',
        method: 'upi',
        flow: 'intent',
        display: 's***@upi',
        status: 'WAITING',
        amount: inr('299800'),
        authorised: inr('299800'),
        captured: inr('0'),
        refunded: inr('0'),
      })
    })

    it('says why it was cancelled', async () => {
      await world.feed(place(6), messages.cancelled({ orderId: orderId(6), version: 2, reason: 'out-of-stock', by: 'app:payment-saga' }))
      const { body } = await world.get(`/v1/orders/${orderId(6)}`, own)
      expect([body['status'], body['cancellation']]).toEqual([
        'CANCELLED',
        { reason: 'out-of-stock', at: '2026-11-01T10:00:01.000Z', by: 'app:payment-saga' },
      ])
    })

    it('has a history in order, without the doings of fraud for its owner', async () => {
      const id = orderId(7)
      const at = (second: number) => `2026-11-01T11:00:0${second}.000Z`
      await world.feed(messages.payment({ orderId: id, at: at(4) }))
      await world.feed(
        messages.scored({ orderId: id, at: at(1) }),
        place(7, { placedAt: at(0) }),
        messages.confirmed({ orderId: id, version: 2, at: at(3) }),
        messages.alertDecided({ orderId: id, at: at(2) }),
      )
      const types = async (options: GetOptions) =>
        (await world.get(`/v1/orders/${id}/history`, options)).body.items?.map(({ type }) => type)
      expect(await types(own)).toEqual(['OrderPlaced', 'OrderConfirmed', 'PaymentChanged'])
      expect(await types(support)).toEqual(['OrderPlaced', 'TransactionScored', 'AlertDecided', 'OrderConfirmed', 'PaymentChanged'])
      const { body } = await world.get(`/v1/orders/${id}/history`, own)
      expect(body.items?.[0]).toEqual({ at: at(0), type: 'OrderPlaced', by: 'c-1', summary: 'Placed for INR 2,998.00, 1 line.' })
    })
  })

  describe('effects once', () => {
    it('ignores repeats and old messages, and a transaction that was rolled back leaves nothing', async () => {
      const batch = [
        place(20),
        messages.confirmed({ orderId: orderId(20), version: 2 }),
        messages.cancelled({ orderId: orderId(20), version: 3 }),
      ]
      const effect = await world.project(batch)
      const crash = world.transactions.run(async (tx) => {
        await effect(tx)
        throw new Error('crash before commit')
      })
      await expect(crash).rejects.toThrow('crash before commit')
      expect((await world.get(`/v1/orders/${orderId(20)}`, own)).status).toBe(404)
      for (let times = 0; times < 3; times++) await world.feed(...batch)
      await world.feed(...batch.slice(0, 2))
      const { headers, body } = await world.get(`/v1/orders/${orderId(20)}`, own)
      expect([headers['etag'], body['status']]).toEqual(['"3"', 'CANCELLED'])
      expect((await world.get(`/v1/orders/${orderId(20)}/history`, own)).body.items).toHaveLength(3)
    })

    it('follows a store that was restored', async () => {
      const id = orderId(21)
      await world.feed(place(21), messages.confirmed({ orderId: id, version: 2 }), messages.cancelled({ orderId: id, version: 3 }))
      await world.feed(messages.reviewStarted({ orderId: id, version: 2, incarnation: RESTORED }))
      await world.feed(messages.cancelled({ orderId: id, version: 4 }))
      const { headers, body } = await world.get(`/v1/orders/${id}`, own)
      expect([headers['etag'], body['status']]).toEqual(['"2"', 'UNDER_REVIEW'])
      // What the lost store acknowledged may be gone: it is not said to have arrived.
      const lost = await world.get(`/v1/orders/${id}`, { ...own, token: { incarnation: INCARNATION, streams: { [`order-${id}`]: 2 } } })
      expect([lost.status, lost.body['type']]).toEqual([503, '/problems/not-yet-consistent'])
      const history = (await world.get(`/v1/orders/${id}/history`, own)).body.items?.map(({ type }) => type)
      expect(history).toEqual(['OrderPlaced', 'OrderReviewStarted'])
    })

    it('takes a batch of hundreds in a few statements', async () => {
      const many = Array.from({ length: 300 }, (_, index) => place(0x1000 + index, { customerId: 'c-many' }))
      let statements = 0
      const effect = await world.project(many)
      await world.transactions.run((tx) => {
        const counting = Object.assign(Object.create(null), tx, {
          query: (...asked: Parameters<typeof world.source.query>) => (statements++, Reflect.apply(Reflect.get(tx, 'query'), tx, asked)),
          send: (...asked: unknown[]) => (statements++, Reflect.apply(Reflect.get(tx, 'send'), tx, asked)),
        })
        return effect(counting)
      })
      expect(statements).toBe(3)
      const listed = await world.get('/v1/orders?limit=100', { as: ['c-many', 'customer'] })
      expect(listed.body.items).toHaveLength(100)
    })
  })

  describe('products and stock', () => {
    it('come in any order: a product without stock has none available, stock without a product is no product', async () => {
      await world.feed(messages.stock({ sku: 'FIRST-STOCK', version: 1, onHand: 7, reserved: 2, available: 5 }))
      expect((await world.get('/v1/products/FIRST-STOCK')).status).toBe(404)
      await world.feed(messages.product({ sku: 'FIRST-STOCK' }), messages.product({ sku: 'NO-STOCK', version: 3 }))
      const { headers, body } = await world.get('/v1/products/NO-STOCK')
      expect([headers['etag'], body['available']]).toEqual(['"3"', 0])
      expect((await world.get('/v1/products/FIRST-STOCK')).body).toEqual({
        sku: 'FIRST-STOCK',
        title: 'boAt Airdopes 141',
        description: 'बोट एयरडोप्स 141',
        category: 'audio',
        brand: 'boAt',
        price: inr('149900'),
        gstRate: 18,
        hsn: '8518',
        attributes: { colour: 'black' },
        available: 5,
        updatedAt: '2026-11-01T10:00:00.000Z',
        version: 1,
      })
      expect((await world.get('/v1/products/%27%20OR%201=1')).status).toBe(404)
    })

    it('are found by words in English and Hindi, by filters, and sorted', async () => {
      const shelf = { category: 'fashion', brand: 'Fab' }
      await world.feed(
        messages.product({ sku: 'K-1', ...shelf, title: 'Cotton Kurta', description: 'लाल सूती कुर्ता', price: '79900' }),
        messages.product({ sku: 'K-2', ...shelf, title: 'Silk Kurtas for running', description: 'रेशमी कुर्ते', price: '249900' }),
        messages.product({
          sku: 'K-3',
          category: 'fashion',
          brand: 'Stride',
          title: 'Shoe',
          description: 'For the runner',
          price: '199900',
        }),
      )
      const skus = async (query: string) => {
        const { status, body } = await world.get(`/v1/products?${query}`)
        expect([query, status]).toEqual([query, 200])
        return body.items?.map(({ sku }) => sku)
      }
      expect(await skus('q=kurta&sort=price')).toEqual(['K-1', 'K-2'])
      expect(await skus(`q=${encodeURIComponent('कुर्ता')}&sort=-price`)).toEqual(['K-2', 'K-1'])
      expect(await skus('q=shoes')).toEqual(['K-3'])
      expect(await skus('q=running+-silk')).toEqual([])
      expect(await skus('q=K-3')).toEqual(['K-3'])
      expect(await skus('q=the')).toEqual(['K-3'])
      expect(await skus('category=fashion&sort=title')).toEqual(['K-1', 'K-3', 'K-2'])
      expect(await skus('brand=Fab&minPrice=100000')).toEqual(['K-2'])
      expect(await skus('category=fashion&minPrice=79900&maxPrice=199900&sort=-price')).toEqual(['K-3', 'K-1'])
      for (const odd of ["'", '"', '\\', ':*', '& | !', "'); DROP TABLE products; --", '<->', '()'])
        expect(await skus(`q=${encodeURIComponent(odd)}`)).toBeDefined()
    })
  })

  describe('lists of orders', () => {
    it("are one's own for a customer, everybody's for staff and merchants, who may ask for one customer's", async () => {
      await world.feed(
        place(40, { customerId: 'l-1', placedAt: '2026-10-01T00:00:00.000Z' }),
        place(41, { customerId: 'l-2', placedAt: '2026-10-02T00:00:00.000Z' }),
        place(42, { customerId: 'l-1', placedAt: '2026-10-03T00:00:00.000Z' }),
        messages.confirmed({ orderId: orderId(42), version: 2 }),
      )
      const ids = async (query: string, options: GetOptions) =>
        (await world.get(`/v1/orders?from=2026-10-01T00:00:00Z&to=2026-10-04T00:00:00Z${query}`, options)).body.items?.map(
          (each) => each['orderId'],
        )
      const first: GetOptions = { as: ['l-1', 'customer'] }
      expect(await ids('', first)).toEqual([orderId(42), orderId(40)])
      expect(await ids('&sort=placedAt', first)).toEqual([orderId(40), orderId(42)])
      expect(await ids('&status=CONFIRMED', first)).toEqual([orderId(42)])
      expect(await ids('&customerId=l-2', first)).toEqual([])
      expect(await ids('', merchant)).toEqual([orderId(42), orderId(41), orderId(40)])
      expect(await ids('&customerId=l-2', support)).toEqual([orderId(41)])
      expect(await ids('&to=2026-10-02T00:00:00Z', support)).toBeUndefined()
      expect(await ids(`&q=${orderId(41)}`, support)).toEqual([orderId(41)])
      expect(await ids('&q=airdopes', first)).toEqual([orderId(42), orderId(40)])
      expect(await ids('&q=nothing', first)).toEqual([])
    })
  })

  describe('bad parameters', () => {
    const cursor = Buffer.from(JSON.stringify(['price', '1', 'x'])).toString('base64url')
    const noDay = Buffer.from(JSON.stringify(['-placedAt', '2026-02-30T00:00:00.000Z', 'x'])).toString('base64url')
    const huge = Buffer.from(JSON.stringify(['relevance', 1e300, 'x'])).toString('base64url')
    it.each([
      ['/v1/orders?limit=0', '/limit'],
      ['/v1/orders?limit=101', '/limit'],
      ['/v1/orders?limit=ten', '/limit'],
      ['/v1/orders?status=LOST', '/status'],
      ['/v1/orders?status=PLACED&status=CONFIRMED', '/status'],
      ['/v1/orders?from=yesterday', '/from'],
      ['/v1/orders?to=2026-02-30T00:00:00Z', '/to'],
      ['/v1/orders?from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z', '/to'],
      ['/v1/orders?q=', '/q'],
      [`/v1/orders?q=${'x'.repeat(201)}`, '/q'],
      ['/v1/orders?q=%00', '/q'],
      ['/v1/orders?sort=placed_at;DROP', '/sort'],
      ['/v1/orders?customerId=', '/customerId'],
      ['/v1/orders?unknown=1', '/unknown'],
      ['/v1/orders?cursor=!', '/cursor'],
      [`/v1/orders?cursor=${cursor}`, '/cursor'],
      [`/v1/orders?cursor=${noDay}`, '/cursor'],
      ['/v1/products?minPrice=-1', '/minPrice'],
      ['/v1/products?minPrice=1.5', '/minPrice'],
      ['/v1/products?maxPrice=1e3', '/maxPrice'],
      ['/v1/products?maxPrice=9999999999999999', '/maxPrice'],
      ['/v1/products?minPrice=2&maxPrice=1', '/maxPrice'],
      ['/v1/products?sort=relevance', '/sort'],
      ['/v1/products?sort=available', '/sort'],
      ['/v1/products?category[]=x', '/category[]'],
      [`/v1/products?cursor=${cursor}`, '/cursor'],
      [`/v1/products?q=x&cursor=${huge}`, '/cursor'],
    ])('%s is 400 and names %s', async (url, pointer) => {
      const { status, body } = await world.get(url, own)
      expect(status).toBe(400)
      expect(body).toMatchObject({ errors: [{ pointer }] })
    })

    it('at the edges of what is valid are no 5xx', async () => {
      for (const time of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+14:00', '9999-12-31T23:59:59-23:59'])
        for (const name of ['from', 'to']) expect((await world.get(`/v1/orders?${name}=${encodeURIComponent(time)}`, own)).status).toBe(200)
    })
  })

  it('describes its calls and answers in OpenAPI', async () => {
    const { body } = await world.get('/openapi.json')
    const document = body as { paths: Record<string, { get?: { responses: Record<string, unknown>; parameters: { name: string }[] } }> }
    const calls = Object.entries(document.paths).filter(([path]) => path.startsWith('/v1/') && !path.startsWith('/v1/ops/'))
    expect(calls.map(([path]) => path).toSorted()).toEqual([
      '/v1/orders',
      '/v1/orders/{id}',
      '/v1/orders/{id}/history',
      '/v1/products',
      '/v1/products/{sku}',
    ])
    for (const [, { get }] of calls) {
      expect(get?.responses).toMatchObject({ 200: { content: { 'application/json': {} } }, 503: {} })
      expect(get?.parameters.map(({ name }) => name)).toContain('Consistency-Token')
    }
  })

  describe('consistency tokens', () => {
    const token = (streams: Record<string, number>, incarnation = INCARNATION) => ({ incarnation, streams })
    /** On a busy machine what a read waits for may come after its wait: 503 says to ask again. */
    const patiently = async (...asked: Parameters<World['get']>): ReturnType<World['get']> => {
      for (let tries = 0; ; tries++) {
        const answer = await world.get(...asked)
        if (answer.status !== 503 || tries === 20) return answer
      }
    }

    it('are waited for on every read, before a 404 is said', async () => {
      const id = orderId(60)
      const streams = { [`order-${id}`]: 1, 'product-TOKEN': 2, 'stock-TOKEN': 1, 'saga-9': 7, 'wallet-3': 2 }
      const urls = [`/v1/orders/${id}`, '/v1/orders', `/v1/orders/${id}/history`, '/v1/products/TOKEN', '/v1/products?q=token']
      const waiting = Promise.all(urls.map((url) => patiently(url, { ...own, token: token(streams) })))
      let done = false
      void waiting.then(() => (done = true))
      await world.feed(place(60))
      await world.feed(messages.product({ sku: 'TOKEN', version: 2, title: 'token' }))
      expect(done).toBe(false)
      await world.feed(messages.stock({ sku: 'TOKEN', version: 1, available: 4 }))
      const answers = await waiting
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
      expect(answers[3]?.body['available']).toBe(4)
    })

    it('that are not reached end in 503 with Retry-After, never in a stale answer', async () => {
      await world.feed(place(61))
      const { status, headers, body } = await world.get(`/v1/orders/${orderId(61)}`, {
        ...own,
        token: token({ [`order-${orderId(61)}`]: 2 }),
      })
      expect([status, headers['retry-after'], body['type']]).toEqual([503, '1', '/problems/not-yet-consistent'])
    })

    it('that never come true do not keep other callers from waiting', async () => {
      const never = { token: token({ [`order-${orderId(62)}`]: 999 }) }
      const greedy = Array.from({ length: 60 }, () => world.get('/v1/orders', { ...own, ...never }))
      const other = patiently('/v1/orders', { as: ['c-2', 'customer'], token: token({ [`order-${orderId(62)}`]: 1 }) })
      await world.feed(place(62))
      expect((await other).status).toBe(200)
      expect(new Set((await Promise.all(greedy)).map(({ status }) => status))).toEqual(new Set([503]))
    })

    it('of other stores or malformed: 404 and 200 at once, or 400', async () => {
      const other = { token: token({ 'wallet-1': 4, 'saga-1': 2 }) }
      expect((await world.get(`/v1/orders/${orderId(0xbeef)}`, { ...own, ...other })).status).toBe(404)
      expect((await world.get('/v1/products', other)).status).toBe(200)
      for (const malformed of ['!', 'e30', 'x'.repeat(9_000)])
        expect((await world.get('/v1/products', { token: malformed })).status).toBe(400)
    })
  })
})
