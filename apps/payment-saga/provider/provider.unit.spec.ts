import { describe, expect, it } from '@jest/globals'
import { paise } from '#kernel'
import { FakeClock } from '#kernel/testing'
import type { ProviderAnswer } from '#payment'
import { Bulkhead } from './bulkhead.js'
import { CircuitBreaker } from './circuit-breaker.js'
import { ProviderHttp, type Fetch } from './http.js'
import { SandboxProvider } from './sandbox/provider.js'

const signal = new AbortController().signal
const books = { paymentId: 'p-1', status: 'captured', amount: '500', captured: '500', refunded: '0' }

const provider = (
  respond: (request: { url: string; method: string; body: unknown }) => Response | Promise<Response>,
  clock = new FakeClock(),
) => {
  const sent: { url: string; method: string; body: unknown }[] = []
  const fetched: Fetch = async (url, { method, body: sentBody }) => {
    const body: unknown = sentBody === undefined ? undefined : JSON.parse(sentBody)
    const request = { url, method, body }
    sent.push(request)
    return respond(request)
  }
  const breaker = new CircuitBreaker(clock, { window_ms: 10_000, calls: 3, share: 1, rest_ms: 1_000 })
  const timeout_ms = { authorise: 1_000, find: 1_000, change: 1_000, report: 1_000 }
  const http = new ProviderHttp({ url: 'http://p', headers: {}, clock, timeout_ms, breaker, bulkhead: new Bulkhead(10), fetch: fetched })
  return { provider: new SandboxProvider(http), sent, clock, breaker }
}

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status })

describe('the sandbox provider', () => {
  it('sends the idempotency key along with what is asked for', async () => {
    const { provider: it, sent } = provider(() => json(201, books))
    const request = { orderId: 'o-1', amount: paise(500), method: 'upi', instrument: 'success@upi', flow: 'collect' } as const
    const answer = await it.authorise('saga:pay', request, signal)
    expect(answer).toEqual({ known: 'answered', payment: { ...books, amount: 500n, captured: 500n, refunded: 0n } })
    expect(sent).toEqual([{ url: 'http://p/v1/payments', method: 'POST', body: { idempotencyKey: 'saga:pay', ...request, amount: '500' } }])
    await it.refund('saga:pay:undo', 'p/1', paise(5), signal)
    expect(sent[1]).toEqual({
      url: 'http://p/v1/payments/p%2F1/refunds',
      method: 'POST',
      body: { idempotencyKey: 'saga:pay:undo', amount: '5' },
    })
  })

  it.each<[string, () => Response, ProviderAnswer]>([
    ["404 of the provider's books", () => json(404, { type: '/problems/unknown-payment', status: 404 }), { known: 'absent' }],
    ['404 of nobody', () => json(404, {}), { known: 'unknown', detail: 'status 404' }],
    ['404 of a wrong path', () => json(404, { type: '/problems/not-found', status: 404 }), { known: 'unknown', detail: 'status 404' }],
    ['404 of a proxy', () => new Response('<html>', { status: 404 }), { known: 'unknown', detail: 'SyntaxError' }],
    ['400 of a proxy', () => json(400, { message: 'bad' }), { known: 'unknown', detail: 'status 400' }],
    [
      '409',
      () => json(409, { type: '/problems/amount-too-large', status: 409, detail: 'no' }),
      { known: 'refused', slug: 'amount-too-large', detail: 'no' },
    ],
    ['500', () => json(500, {}), { known: 'unknown', detail: 'status 500' }],
    ['401', () => json(401, {}), { known: 'unknown', detail: 'status 401' }],
    ['another shape', () => json(200, { ...books, captured: 5 }), { known: 'unknown', detail: 'an answer off contract' }],
    ['no JSON', () => new Response('<html>', { status: 200 }), { known: 'unknown', detail: 'SyntaxError' }],
  ])('reads %s as what it says, and nothing more', async (_, respond, wanted) => {
    const answer = await provider(respond).provider.find('k', signal)
    expect(answer).toMatchObject(wanted.known === 'unknown' ? { known: 'unknown' } : wanted)
  })

  it('is spared while it is down, tried by one call, and used again', async () => {
    let up = false
    const { provider: it, sent, clock, breaker } = provider(() => (up ? json(200, books) : json(503, {})))
    for (let times = 0; times < 5; times++) expect(await it.find('k', signal)).toMatchObject({ known: 'unknown' })
    expect([sent.length, breaker.state]).toEqual([3, 'open'])
    clock.advance(1_000)
    expect(breaker.state).toBe('half-open')
    await Promise.all([it.find('k', signal), it.find('k', signal)])
    expect([sent.length, breaker.state]).toEqual([4, 'open'])
    clock.advance(1_000)
    up = true
    expect(await it.find('k', signal)).toMatchObject({ known: 'answered' })
    expect(breaker.state).toBe('closed')
  })

  it('is sent nothing when the time of the caller is over, and not judged by that', async () => {
    const { provider: it, sent, breaker } = provider(() => json(200, books))
    for (let times = 0; times < 5; times++) expect(await it.find('k', AbortSignal.abort())).toMatchObject({ known: 'unknown' })
    expect([sent.length, breaker.state]).toEqual([0, 'closed'])
  })

  it('reads no more of an answer than its bound', async () => {
    let read = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        read++
        controller.enqueue(new Uint8Array(16 * 1024).fill(32))
      },
    })
    const { provider: it } = provider(() => new Response(endless, { status: 200 }))
    expect(await it.find('k', signal)).toEqual({ known: 'unknown', detail: 'RangeError' })
    expect(read).toBeLessThan(10)
  })
})

describe('the circuit breaker', () => {
  const call = (breaker: CircuitBreaker, end: 'succeeded' | 'failed', times = 1) => {
    let sent = 0
    for (let time = 0; time < times; time++) {
      const ended = breaker.admit()
      ended?.(end)
      if (ended) sent++
    }
    return sent
  }

  it('stays closed when a few dozen payments of hundreds get no answer, however late and in a row that shows', () => {
    const clock = new FakeClock()
    const breaker = new CircuitBreaker(clock)
    call(breaker, 'succeeded', 300)
    // A call without an answer ends when its time-out does.
    clock.advance(5_000)
    call(breaker, 'failed', 48)
    expect(breaker.state).toBe('closed')
    clock.advance(20_000)
    // With nothing beside them, so few do not say that it is down.
    call(breaker, 'failed', 49)
    expect(breaker.state).toBe('closed')
  })

  it('opens when most calls fail, soon after they begin to', () => {
    const clock = new FakeClock()
    const breaker = new CircuitBreaker(clock)
    call(breaker, 'succeeded', 1_000)
    let failing_ms = 0
    for (; breaker.state === 'closed' && failing_ms < 60_000; failing_ms += 500) {
      call(breaker, 'failed', 10)
      clock.advance(500)
    }
    expect([breaker.state, failing_ms <= 11_000]).toEqual(['open', true])
    expect(call(breaker, 'succeeded')).toBe(0)
  })

  it('forgets what failed before it opened, and is not closed by what was sent before', () => {
    const clock = new FakeClock()
    const breaker = new CircuitBreaker(clock, { window_ms: 10_000, calls: 3, share: 0.5, rest_ms: 1_000 })
    const straggler = breaker.admit()
    call(breaker, 'failed', 3)
    straggler?.('succeeded')
    expect(breaker.state).toBe('open')
    clock.advance(1_000)
    expect([call(breaker, 'succeeded'), breaker.state]).toEqual([1, 'closed'])
    call(breaker, 'failed', 2)
    expect(breaker.state).toBe('closed')
  })
})
