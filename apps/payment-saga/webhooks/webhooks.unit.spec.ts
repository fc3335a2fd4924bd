import { describe, expect, it } from '@jest/globals'
import { FakeClock, memoryTransactions } from '#kernel/testing'
import { actionKey, sagaIdFor, type InputAnswer, type SagaInput } from '#saga'
import fc from 'fast-check'
import { createHmac } from 'node:crypto'
import { memoryWebhookStore } from '../testing/memory-webhook-store.js'
import { razorpayWebhooks } from '../provider/razorpay/webhooks.js'
import { isSigned, SIGNATURE_WINDOW_MS } from '../provider/sandbox/signature.js'
import { sandboxWebhooks } from '../provider/sandbox/webhooks.js'
import { WebhookInbox } from './webhook-inbox.js'

const SECRET = 'a webhook secret of the tests'
const sign = (body: string, t_s: number) => `t=${t_s},v1=${createHmac('sha256', SECRET).update(`${t_s}.${body}`).digest('hex')}`

describe('a signature', () => {
  const now = 1_700_000_000_000
  it('holds for these bytes, within its window, and for nothing else', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: -600, max: 600 }), (body, late_s) => {
        const at_s = now / 1_000 + late_s
        const bytes = Buffer.from(body)
        const fits = Math.abs(late_s) * 1_000 <= SIGNATURE_WINDOW_MS
        expect(isSigned(SECRET, bytes, sign(body, at_s), now)).toBe(fits)
        expect(isSigned(SECRET, Buffer.from(`${body}.`), sign(body, at_s), now)).toBe(false)
        expect(isSigned('another secret', bytes, sign(body, at_s), now)).toBe(false)
        // An old signature under a new time.
        expect(isSigned(SECRET, bytes, sign(body, at_s).replace(/^t=\d+/, `t=${at_s + 1}`), now)).toBe(false)
      }),
    )
  })

  it.each([undefined, '', 't=1', 'v1=00', 't=x,v1=00', `t=1700000000,v1=${'0'.repeat(63)}`, `t=1700000000,v1=${'0'.repeat(64)}`])(
    '%s is none',
    (header) => {
      expect(isSigned(SECRET, Buffer.from('{}'), header, now)).toBe(false)
    },
  )
})

describe('the webhook inbox', () => {
  const sagaId = sagaIdFor('order-payment', 'o-1')
  const key = actionKey({ sagaId, step: 'authorise-payment', side: 'do', round: 1 })
  const body = (eventId: string, more: object = {}) =>
    JSON.stringify({ eventId, type: 'payment.captured', paymentId: 'p-1', idempotencyKey: key, amount: '500', ...more })

  const setUp = (poison?: string, away: { now?: boolean } = {}) => {
    const clock = new FakeClock()
    const applied: SagaInput[] = []
    const errors: unknown[] = []
    const engine = {
      apply: async (inputs: readonly SagaInput[]): Promise<readonly InputAnswer[]> => {
        if (away.now) throw Object.assign(new Error('the database is away'), { code: 'ECONNREFUSED' })
        if (inputs.some(({ id }) => poison !== undefined && id.endsWith(poison))) throw new Error('poison')
        applied.push(...inputs)
        return []
      },
    }
    const store = memoryWebhookStore()
    const inbox = new WebhookInbox({
      store,
      engine,
      transactions: memoryTransactions(),
      clock,
      providers: { sandbox: sandboxWebhooks(SECRET), razorpay: razorpayWebhooks(SECRET) },
      onError: (error) => errors.push(error),
    })
    const receive = (text: string) => inbox.receive('sandbox', Buffer.from(text), () => sign(text, Math.floor(clock.now() / 1_000)))
    return { inbox, receive, applied, errors, clock, store }
  }

  it('keeps an event before it is worked on, and works on it once', async () => {
    const { inbox, receive, applied } = setUp()
    expect([await receive(body('e-1')), await receive(body('e-1')), await receive(body('e-2'))]).toEqual(['kept', 'kept', 'kept'])
    expect(applied).toEqual([])
    expect(await inbox.workDue()).toBe(2)
    expect(await inbox.workDue()).toBe(0)
    expect(applied.map(({ id, sagaId: to }) => [id, to])).toEqual([
      ['webhook sandbox e-1', sagaId],
      ['webhook sandbox e-2', sagaId],
    ])
    expect(applied[0]).toMatchObject({ name: 'provider-payment', body: { status: 'captured', captured: '500', providerPaymentId: 'p-1' } })
  })

  it('refuses what is not an event, and passes over events of payments that are not ours', async () => {
    const { inbox, receive, applied } = setUp()
    expect(await receive('{')).toBe('malformed')
    expect(await receive(body('e-1', { amount: 5 }))).toBe('malformed')
    expect(await inbox.receive('constructor', Buffer.from('{}'), () => 't=1,v1=0')).toBe('unknown-provider')
    expect(await receive(body('e-2', { idempotencyKey: 'somebody else' }))).toBe('kept')
    expect(await inbox.workDue()).toBe(1)
    expect(applied).toEqual([])
  })

  it('thanks for what is signed and of no use, says so, and does nothing', async () => {
    const { inbox, applied, errors } = setUp()
    const body = JSON.stringify({
      entity: 'event',
      event: 'payment.captured',
      created_at: 1,
      payload: { payment: { entity: { currency: 'USD' } } },
    })
    const signature = createHmac('sha256', SECRET).update(body).digest('hex')
    expect(await inbox.receive('razorpay', Buffer.from(body), () => signature)).toBe('unread')
    expect([await inbox.workDue(), applied, inbox.unread]).toEqual([0, [], 1])
    expect(errors).toEqual([new Error('a webhook of razorpay without effect: a payment in another currency')])
  })

  it('fails one that cannot be opened any more, and goes on with the others', async () => {
    const { inbox, receive, applied, errors, store } = setUp()
    for (const id of ['e-1', 'e-2']) await receive(body(id))
    const { pending } = store
    store.pending = async (...asked) =>
      (await pending(...asked)).map((each) => (each.eventId === 'e-1' ? { ...each, body: undefined } : each))
    await inbox.workDue()
    expect([applied.length, errors, await inbox.counts()]).toEqual([
      1,
      [new Error('a webhook that no master key opens')],
      { waiting: 1, givenUp: 0 },
    ])
  })

  it('counts no attempt while the database is away, and asks for all of them at once when it is back', async () => {
    const away = { now: true }
    const { inbox, receive, applied, clock } = setUp(undefined, away)
    for (const id of ['e-1', 'e-2', 'e-3']) await receive(body(id))
    for (let times = 0; times < 30; times++) {
      await expect(inbox.workDue()).rejects.toThrow('away')
      clock.advance(3_600_000)
    }
    away.now = false
    expect(await inbox.workDue()).toBe(3)
    expect(applied.length).toBe(3)
  })

  it('is not held up by one that fails, and gives that one up in the end', async () => {
    const { inbox, receive, applied, errors, clock } = setUp('e-1')
    for (const id of ['e-1', 'e-2', 'e-3']) await receive(body(id))
    await inbox.workDue()
    expect(applied.length).toBe(2)
    expect([errors.length, await inbox.counts()]).toEqual([1, { waiting: 1, givenUp: 0 }])
    // Not before its time, which comes later and later, and not without end.
    expect(await inbox.workDue()).toBe(0)
    const pauses_ms: number[] = []
    for (let waited_ms = 0; errors.length < 20 && waited_ms <= 3_600_000; waited_ms += 250) {
      clock.advance(250)
      if ((await inbox.workDue()) === 0) continue
      pauses_ms.push(waited_ms + 250)
      waited_ms = -250
    }
    expect([pauses_ms.length, Math.max(...pauses_ms) <= 3_600_250]).toEqual([19, true])
    for (const [at, pause_ms] of pauses_ms.entries()) expect(pause_ms).toBeGreaterThanOrEqual(Math.min(1_000 * 2 ** at, 3_600_000) / 2)
    clock.advance(24 * 3_600_000)
    expect(await inbox.workDue()).toBe(0)
    expect(await inbox.counts()).toEqual({ waiting: 0, givenUp: 1 })
    // The provider is asked to send it again.
    expect([await receive(body('e-1')), await inbox.counts(), await inbox.workDue()]).toEqual(['kept', { waiting: 1, givenUp: 0 }, 1])
  })
})
