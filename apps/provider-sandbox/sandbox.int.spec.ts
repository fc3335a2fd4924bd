import 'reflect-metadata'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { eventually } from '#kernel/testing'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { createProviderSandboxApp } from './app.js'
import { migrations } from './migrations.js'
import type { ProviderSandboxConfig } from './sandbox.config.js'
import { signatureOf } from './webhooks.js'

const API_KEY = 'sandbox-api-key-for-tests'
const SECRET = 'sandbox-webhook-secret-for-tests'

interface Heard {
  readonly type: string
  readonly eventId: string
  readonly idempotencyKey: string
  readonly amount: string
}

describe('provider sandbox', () => {
  let database: TestDatabase
  let app: NestFastifyApplication
  let base: string
  let merchant: Server
  const heard: Heard[] = []
  let wrongSignatures = 0
  let refuseNext = 0

  const config = (): ProviderSandboxConfig => ({
    PORT: 0,
    DATABASE_URL: database.url,
    DATABASE_SCHEMA: 'app',
    PROVIDER_API_KEY: API_KEY,
    WEBHOOK_URL: `http://127.0.0.1:${port(merchant)}/hook`,
    PROVIDER_WEBHOOK_SECRET: SECRET,
    UPI_WINDOW_SECONDS: 5,
    PUBLIC_URL: 'http://bank.test',
    PATH_PREFIX: 'provider-sandbox',
    SANDBOX_SEED: 7,
    WEBHOOK_DUPLICATE_RATE: 0.5,
    WEBHOOK_OUT_OF_ORDER_RATE: 0.3,
    LOST_WEBHOOK_DELAY_SECONDS: 3_600,
    HANG_MS: 10,
  })

  const start = async (): Promise<void> => {
    app = await createProviderSandboxApp(config())
    await app.listen(0, '127.0.0.1')
    base = `${await app.getUrl()}/provider-sandbox`
  }

  beforeAll(async () => {
    database = await createTestDatabase(migrations)
    merchant = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        const signature = String(request.headers['x-sandbox-signature'])
        const t = Number(/^t=(\d+),/.exec(signature)?.[1])
        if (signature !== signatureOf(SECRET, t * 1_000, body)) wrongSignatures++
        if (refuseNext > 0) {
          refuseNext--
          response.writeHead(503).end()
          return
        }
        heard.push(JSON.parse(body) as Heard)
        response.writeHead(204).end()
      })
    })
    await new Promise<void>((resolve) => merchant.listen(0, '127.0.0.1', resolve))
    await start()
  })
  afterAll(async () => {
    await app.close()
    merchant.closeAllConnections()
    merchant.close()
    await database.drop()
  })

  const call = async (method: string, path: string, body?: unknown, key = API_KEY) => {
    const response = await fetch(base + path, {
      method,
      headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return {
      status: response.status,
      type: response.headers.get('content-type')?.split(';')[0],
      body: (await response.json()) as Record<string, never>,
    }
  }
  const pay = (idempotencyKey: string, method: string, instrument: string, amount = '10000') =>
    call('POST', '/v1/payments', { idempotencyKey, orderId: 'o-1', amount, method, instrument })
  const query = (idempotencyKey: string) => call('GET', `/v1/payments?idempotencyKey=${idempotencyKey}`)

  it.each([
    ['upi', 'success@upi', 'captured', '10000'],
    ['netbanking', 'SBOX_SUCCESS', 'captured', '10000'],
    ['card', 'tok_success', 'authorised', '0'],
    ['upi', 'decline@upi', 'declined', '0'],
    ['card', 'tok_decline', 'declined', '0'],
    ['netbanking', 'SBOX_DECLINE', 'declined', '0'],
    ['upi', 'slow@upi', 'pending', '0'],
    ['upi', 'who@upi', 'declined', '0'],
    ['upi', 'constructor', 'declined', '0'],
  ])('%s %s is %s, and stays so for its key', async (method, instrument, status, captured) => {
    const key = `k-${method}-${instrument}`
    const first = await pay(key, method, instrument)
    expect(first).toMatchObject({ status: 201, body: { status, captured, refunded: '0', amount: '10000' } })
    expect((await pay(key, method, instrument)).body['paymentId']).toBe(first.body['paymentId'])
    expect((await query(key)).body['paymentId']).toBe(first.body['paymentId'])
    expect(await pay(key, method, instrument, '10001')).toMatchObject({ status: 422, type: 'application/problem+json' })
  })

  it('gives a payer by intent what to open while it is pending', async () => {
    const request = { idempotencyKey: 'intent-1', orderId: 'o-1', amount: '10050', method: 'upi', instrument: 'slow@upi', flow: 'intent' }
    const { body } = await call('POST', '/v1/payments', request)
    expect(body).toMatchObject({
      status: 'pending',
      next: { kind: 'intent', url: expect.stringMatching(/^upi:\/\/pay\?.*am=100\.50&cu=INR/) },
    })
  })

  describe('a payer at the page', () => {
    const ask = async (idempotencyKey: string, more: object = {}) => {
      const request = { idempotencyKey, orderId: '<o-1>', amount: '1234500', method: 'netbanking', instrument: 'SBOX_REDIRECT', ...more }
      const { body } = await call('POST', '/v1/payments', request)
      return { body, page: `${base}/pay/${String(body['paymentId'])}` }
    }
    const press = (page: string, decision: string) =>
      fetch(page, { method: 'POST', body: new URLSearchParams({ decision }), redirect: 'manual' })

    it.each([
      ['pay', 'captured', 'payment.captured', 'This payment is made.'],
      ['decline', 'declined', 'payment.declined', 'You declined this payment. Nothing was taken.'],
    ])('may %s, once, and is sent back', async (decision, status, type, said) => {
      const key = `page-${decision}`
      const { body, page } = await ask(key, { returnUrl: 'https://shop.test/back' })
      expect(body).toMatchObject({
        status: 'pending',
        next: { kind: 'redirect', url: `http://bank.test/provider-sandbox/pay/${String(body['paymentId'])}` },
      })
      const shown = await fetch(page)
      const text = await shown.text()
      expect([shown.status, shown.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
      expect(text).toContain('&#60;o-1&#62;')
      expect(text).toContain('₹12,345.00')
      const pressed = await press(page, decision)
      expect([pressed.status, pressed.headers.get('location')]).toEqual([303, 'https://shop.test/back'])
      expect((await query(key)).body).toMatchObject({ status })
      expect((await query(key)).body).not.toHaveProperty('next')
      expect((await press(page, decision === 'pay' ? 'decline' : 'pay')).status).toBe(303)
      expect((await query(key)).body).toMatchObject({ status })
      expect(await (await fetch(page)).text()).toContain(said)
      await eventually('the webhook', () => heard.some((each) => each.idempotencyKey === key && each.type === type))
    })

    it('who does not come is not waited for', async () => {
      await ask('page-nobody')
      const left = await ask('page-intent', { method: 'upi', instrument: 'intent@upi', flow: 'intent' })
      expect(left.body).toMatchObject({ status: 'pending', next: { kind: 'intent' } })
      await eventually('both are declined', async () => {
        const statuses = await Promise.all(['page-nobody', 'page-intent'].map(async (key) => (await query(key)).body['status']))
        return statuses.every((status) => String(status) === 'declined')
      })
      expect((await query('page-nobody')).body['reason']).toBe('expired')
    })

    it('decides nothing of what is not asked, and nothing by nonsense', async () => {
      const { body } = await pay('page-slow', 'upi', 'slow@upi')
      await press(`${base}/pay/${String(body['paymentId'])}`, 'decline')
      expect((await query('page-slow')).body['status']).toBe('pending')
      const { page } = await ask('page-nonsense')
      expect((await press(page, 'perhaps')).status).toBe(400)
      expect((await fetch(`${base}/pay/0190a000-0000-7000-8000-00000000dead`)).status).toBe(404)
    })
  })

  it('books a payment once when its key comes many times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => pay('at-once', 'upi', 'success@upi')))
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body['paymentId'])}`)).size).toBe(1)
  })

  it('loses the answer of a payment that took effect', async () => {
    await expect(pay('lost-1', 'upi', 'lost@upi')).rejects.toThrow()
    await expect(pay('lost-1', 'upi', 'lost@upi')).rejects.toThrow()
    expect(await query('lost-1')).toMatchObject({ status: 200, body: { status: 'captured', captured: '10000' } })
    await expect(pay('lost-2', 'card', 'tok_lost')).rejects.toThrow()
    expect((await query('lost-2')).body['status']).toBe('authorised')
  })

  it('gives no answer to a payment that never happened', async () => {
    await expect(pay('timeout-1', 'upi', 'timeout@upi')).rejects.toThrow()
    await expect(pay('timeout-2', 'card', 'tok_timeout')).rejects.toThrow()
    expect((await query('timeout-1')).status).toBe(404)
    expect((await query('timeout-2')).status).toBe(404)
  })

  it('captures once, and refunds at most what was captured', async () => {
    const { body } = await pay('card-1', 'card', 'tok_success')
    const path = `/v1/payments/${String(body['paymentId'])}`
    expect((await call('POST', `${path}/refunds`, { idempotencyKey: 'r-0' })).status).toBe(409)
    expect((await call('POST', `${path}/capture`, { idempotencyKey: 'c-0', amount: '10001' })).status).toBe(409)
    const captured = { status: 200, body: { status: 'captured', captured: '9000' } }
    expect(await call('POST', `${path}/capture`, { idempotencyKey: 'c-1', amount: '9000' })).toMatchObject(captured)
    expect((await call('POST', `${path}/capture`, { idempotencyKey: 'c-2', amount: '9000' })).status).toBe(409)
    expect((await call('POST', `${path}/void`, { idempotencyKey: 'v-1' })).status).toBe(409)
    const refunds = await Promise.all(
      Array.from({ length: 4 }, (_, n) => call('POST', `${path}/refunds`, { idempotencyKey: `r-${n}`, amount: '4000' })),
    )
    expect(refunds.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409])
    const again = await call('POST', `${path}/capture`, { idempotencyKey: 'c-1', amount: '9000' })
    expect(again.body).toMatchObject({ captured: '9000', refunded: '0' })
    expect((await call('POST', `${path}/refunds`, { idempotencyKey: 'r-rest' })).body['refunded']).toBe('9000')
    expect((await call('GET', path)).body).toMatchObject({ captured: '9000', refunded: '9000' })
  })

  it('voids what is authorised, once', async () => {
    const { body } = await pay('card-2', 'card', 'tok_success')
    const path = `/v1/payments/${String(body['paymentId'])}`
    expect((await call('POST', `${path}/void`, { idempotencyKey: 'v-1' })).body['status']).toBe('voided')
    expect((await call('POST', `${path}/void`, { idempotencyKey: 'v-1' })).body['status']).toBe('voided')
    expect((await call('POST', `${path}/capture`, { idempotencyKey: 'c-1' })).status).toBe(409)
  })

  it('settles each capture and refund in the file of its day, with its fee, and has none of a day to come', async () => {
    const ids: string[] = []
    const day = (offset: number) => new Date(Date.now() + (offset * 24 + 5.5) * 3_600_000).toISOString().slice(0, 10)
    const began = day(0)
    for (const [method, instrument] of [
      ['upi', 'success@upi'],
      ['card', 'tok_success'],
      ['upi', 'decline@upi'],
    ] as const)
      ids.push(
        String((await pay(`settled, "${method}" ${instrument}`.replaceAll(' ', '-'), method, instrument, '12345')).body['paymentId']),
      )
    const [upi, card] = ids
    await call('POST', `/v1/payments/${card}/capture`, { idempotencyKey: 'c-1' })
    for (const key of ['r-1', 'r-1', 'r-2']) await call('POST', `/v1/payments/${upi}/refunds`, { idempotencyKey: key, amount: '100' })
    const file = (date: string) => fetch(`${base}/v1/settlements/${date}`, { headers: { 'x-api-key': API_KEY } })
    const header = 'entry_id,type,payment_id,reference,amount,fee,tax,currency,at'
    const lines: string[] = []
    // At midnight in India these are two days.
    for (const date of new Set([began, day(0)])) {
      const answer = await file(date)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8'])
      const [first, ...more] = (await answer.text()).trimEnd().split('\n')
      expect(first).toBe(header)
      lines.push(...more)
    }
    const ours = lines.filter((line) => ids.some((id) => line.includes(id)))
    expect(ours.map((line) => line.split(',').slice(1, 3))).toEqual([
      ['payment', upi],
      ['payment', card],
      ['refund', upi],
      ['refund', upi],
    ])
    expect(ours[0]).toContain(',"settled,-""upi""-success@upi",12345,0,0,INR,')
    // 2% of 123.45 is 2.469, and 18% of 2.47 is 0.4446.
    expect(ours[1]).toContain(',12345,247,44,INR,')
    expect([(await file(day(2))).status, (await file('2026-13-01')).status]).toEqual([404, 400])
    expect((await (await file(day(-2))).text()).trimEnd()).toBe(header)
  })

  it('pays late and slow ones later, also after a restart, and tells by webhook until it is heard', async () => {
    refuseNext = 3
    await pay('slow-1', 'upi', 'slow@upi')
    await pay('late-1', 'upi', 'late@upi')
    expect((await query('late-1')).body['status']).toBe('pending')
    await app.close()
    await start()
    const told = (key: string, type: string) => heard.some((each) => each.idempotencyKey === key && each.type === type)
    await eventually('both are told of', () => told('slow-1', 'payment.captured') && told('late-1', 'payment.captured'))
    expect((await query('late-1')).body['status']).toBe('captured')
  })

  it('signs each webhook, repeats some, and tells nothing of a lost one', async () => {
    await eventually('one comes twice', () => new Set(heard.map(({ eventId }) => eventId)).size < heard.length)
    expect(wrongSignatures).toBe(0)
    expect(heard.filter(({ idempotencyKey }) => idempotencyKey.startsWith('lost-'))).toEqual([])
  })

  it.each([
    ['nothing', {}, '/idempotencyKey'],
    ['a float', { idempotencyKey: 'x', orderId: 'o', amount: 10.5, method: 'upi', instrument: 'a@b' }, '/amount'],
    ['a negative amount', { idempotencyKey: 'x', orderId: 'o', amount: '-1', method: 'upi', instrument: 'a@b' }, '/amount'],
    ['too much', { idempotencyKey: 'x', orderId: 'o', amount: '9'.repeat(16), method: 'upi', instrument: 'a@b' }, '/amount'],
    ['another method', { idempotencyKey: 'x', orderId: 'o', amount: '1', method: 'cash', instrument: 'a@b' }, '/method'],
  ])('refuses %s with a problem', async (_, body, pointer) => {
    const answer = await call('POST', '/v1/payments', body)
    expect(answer).toMatchObject({ status: 400, type: 'application/problem+json' })
    expect(JSON.stringify(answer.body['errors'])).toContain(pointer)
  })

  it('refuses what is not JSON, too large, unknown, or without its key', async () => {
    expect(await call('POST', '/v1/payments', '{')).toMatchObject({ status: 400, type: 'application/problem+json' })
    expect((await call('POST', '/v1/payments', JSON.stringify({ x: 'x'.repeat(300_000) }))).status).toBe(413)
    // A merchant can tell that the books hold no such payment from that there is no such path.
    expect(await call('GET', '/v1/payments/nonsense')).toMatchObject({ status: 404, body: { type: '/problems/unknown-payment' } })
    expect(await call('GET', '/v1/nowhere')).toMatchObject({ status: 404, body: { type: '/problems/not-found' } })
    expect(await call('GET', '/v1/payments', undefined, 'wrong')).toMatchObject({ status: 401, type: 'application/problem+json' })
    expect((await call('GET', '/health/ready', undefined, 'none')).status).toBe(200)
  })
})

const port = (server: Server): number => {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
