import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { paise, systemClock } from '#kernel'
import { FakeClock } from '#kernel/testing'
import { beginningOf, BrokenSettlementFile, planAt, type SettlementLine } from '#payment'
import { FaultyNetwork } from '../../testing/faulty-network.js'
import { providerConformance } from '../../testing/provider-conformance.js'
import { RazorpayStub } from '../../testing/razorpay-stub.js'
import { paymentActivities } from '../activities.js'
import { Bulkhead } from '../bulkhead.js'
import { ProviderHttp } from '../http.js'
import { RazorpayProvider, receiptOf } from './provider.js'
import { RazorpaySettlements } from './settlements.js'
import { razorpayWebhooks } from './webhooks.js'

const KEY_ID = 'rzp_test_1DP5mmOlF5G5ag'
const SECRET = 'a key secret of the tests'
const WEBHOOK_SECRET = 'a webhook secret of the tests'
const signal = new AbortController().signal

const startWorld = async () => {
  const stub = new RazorpayStub(KEY_ID, SECRET, WEBHOOK_SECRET)
  const url = await stub.start()
  const network = new FaultyNetwork()
  const http = new ProviderHttp({
    url,
    headers: { authorization: `Basic ${Buffer.from(`${KEY_ID}:${SECRET}`).toString('base64')}` },
    clock: systemClock,
    timeout_ms: { authorise: 5_000, find: 5_000, change: 5_000, report: 5_000 },
    bulkhead: new Bulkhead(20),
    fetch: network.fetch,
  })
  return { stub, network, http, provider: new RazorpayProvider(http, { email: 'payments@shop.test', contact: '+919876543210' }) }
}

providerConformance('Razorpay', async () => {
  const { stub, network, provider } = await startWorld()
  return {
    provider,
    network,
    webhooks: razorpayWebhooks(WEBHOOK_SECRET),
    instruments: {
      paid: { method: 'upi', instrument: 'success@razorpay', flow: 'collect' },
      held: { method: 'card', instrument: 'cust_1Aa00000000001/token_4lsdksD31GaZ09' },
      declined: { method: 'upi', instrument: 'failure@razorpay', flow: 'collect' },
      asked: { method: 'netbanking', instrument: 'HDFC' },
    },
    heard: () => stub.webhooks,
    lapse: () => stub.lapse(),
    close: () => stub.close(),
  }
})

describe('Razorpay', () => {
  let world: Awaited<ReturnType<typeof startWorld>>
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.stub.close())

  it('has one order for a key, with a receipt of 40 characters, captured by hand only where a card pays', async () => {
    const { provider, network, stub } = world
    await provider.authorise('k:card', { orderId: 'o-1', amount: paise(500), method: 'card', instrument: 'cust_1/token_1' }, signal)
    await provider.authorise('k:upi', { orderId: 'o-2', amount: paise(700), method: 'upi', instrument: 'success@razorpay' }, signal)
    await provider.authorise('k:upi', { orderId: 'o-2', amount: paise(700), method: 'upi', instrument: 'success@razorpay' }, signal)
    const made = [...stub.orders.values()]
    expect(made.map(({ receipt, amount, manual }) => ({ receipt, amount, manual }))).toEqual([
      { receipt: receiptOf('k:card'), amount: 500, manual: true },
      { receipt: receiptOf('k:upi'), amount: 700, manual: false },
    ])
    expect(receiptOf('k:upi')).toMatch(/^[A-Za-z0-9_-]{40}$/)
    const sent = network.sent.map(({ body }) => body).join('\n')
    expect(sent).toContain('"customer_id":"cust_1","token":"token_1"')
    expect(sent).toContain('"upi":{"flow":"collect","vpa":"success@razorpay"}')
  })

  it('opens the payer’s app by intent, and sends the bank’s payer back', async () => {
    const { provider, network } = world
    const intent = { orderId: 'o-3', amount: paise(100), method: 'upi', instrument: 'a@b', flow: 'intent' } as const
    expect(await provider.authorise('k:intent', intent, signal)).toMatchObject({ payment: { status: 'pending', next: { kind: 'intent' } } })
    const bank = {
      orderId: 'o-4',
      amount: paise(100),
      method: 'netbanking',
      instrument: 'HDFC',
      returnUrl: 'https://shop.test/back',
    } as const
    expect(await provider.authorise('k:bank', bank, signal)).toMatchObject({ payment: { next: { kind: 'redirect' } } })
    expect(network.sent.some(({ body }) => body.includes('"callback_url":"https://shop.test/back"'))).toBe(true)
  })

  it('tells what a plan is in Razorpay’s own names', async () => {
    const { provider, network } = world
    const plan = (name: string) => {
      const row = planAt(name, Date.UTC(2026, 10, 28))
      if (!row) throw new Error(`no plan ${name}`)
      return row
    }
    const emi = { orderId: 'o-5', amount: paise(500_000), method: 'card', instrument: 'cust_1/token_1', plan: plan('EMI_6') } as const
    expect(await provider.authorise('k:emi', emi, signal)).toMatchObject({ payment: { status: 'authorised' } })
    const later = { orderId: 'o-6', amount: paise(5_000), method: 'netbanking', instrument: 'HDFC', plan: plan('LAZYPAY') } as const
    await provider.authorise('k:later', later, signal)
    const told = (key: string) =>
      network.sent.find(({ url, body }) => url.endsWith('/create/json') && body.includes(`"${key}"`))?.body ?? '{}'
    expect(JSON.parse(told('k:emi'))).toMatchObject({ method: 'emi', emi_duration: 6, token: 'token_1' })
    expect(JSON.parse(told('k:later'))).toMatchObject({ method: 'paylater', provider: 'lazypay' })
    expect(JSON.parse(told('k:later'))).not.toHaveProperty('bank')
  })

  it('keeps what Razorpay says in prose to itself', async () => {
    const body = JSON.stringify({ error: { code: 'BAD_REQUEST_ERROR', description: 'VPA asha@okbank is invalid', reason: 'invalid_vpa' } })
    world.network.next({ status: 400, body })
    const answer = await world.provider.refund('k', 'pay_1', paise(1), signal)
    expect(answer).toEqual({ known: 'refused', slug: 'invalid-vpa', detail: 'refused by Razorpay' })
  })

  describe('that holds several payments of one key', () => {
    const card = { orderId: 'o-7', amount: paise(900), method: 'card', instrument: 'cust_1/token_1' } as const
    const upi = { orderId: 'o-8', amount: paise(900), method: 'upi', instrument: 'success@razorpay' } as const
    const madeBy = (key: string) =>
      [...world.stub.payments.values()].filter(({ order_id }) => world.stub.orders.get(order_id)?.receipt === receiptOf(key))
    const booksOf = (key: string) => madeBy(key).map(({ status, captured, amount_refunded }) => [status, captured, amount_refunded])
    const found = async (key: string) => {
      const answer = await world.provider.find(key, signal)
      return answer.known === 'answered' ? answer.payment : answer
    }
    const cancel = (key: string) => {
      const input = { paymentKey: key }
      const run = { sagaId: 's', key: `${key}:undo`, attempt: 1, input, startedAt: 0, now: 60_000 }
      const activities = paymentActivities({ provider: world.provider, sealed: { openAll: async () => [] }, settle_ms: 1 })
      return activities['cancel-payment']?.(run, signal)
    }

    it('takes one of an order’s payments, knows it by the one it took, and lets the other lapse', async () => {
      const { provider, stub } = world
      const answer = await provider.authorise('k:two-cards', card, signal)
      const first = answer.known === 'answered' ? answer.payment.paymentId : ''
      const second = stub.again(receiptOf('k:two-cards'))
      expect(await found('k:two-cards')).toMatchObject({ status: 'authorised' })
      expect(await provider.capture('c', first, paise(900), signal)).toMatchObject({ payment: { status: 'captured', captured: 900n } })
      expect(await provider.capture('c', second, paise(900), signal)).toMatchObject({ known: 'refused', slug: 'order-already-paid' })
      expect(await found('k:two-cards')).toMatchObject({ paymentId: first, status: 'captured' })
      stub.lapse()
      expect(booksOf('k:two-cards')).toEqual([
        ['captured', true, 0],
        ['refunded', false, 900],
      ])
      expect(await found('k:two-cards')).toMatchObject({ paymentId: first, status: 'captured', captured: 900n, refunded: 0n })
    })

    it('keeps the one that an order by UPI took, and sends the other back by itself', async () => {
      const { provider, stub } = world
      await provider.authorise('k:two-upis', upi, signal)
      stub.again(receiptOf('k:two-upis'))
      expect(booksOf('k:two-upis')).toEqual([
        ['captured', true, 0],
        ['refunded', false, 900],
      ])
      expect(await found('k:two-upis')).toMatchObject({ status: 'captured', captured: 900n, refunded: 0n })
    })

    it('takes one where two ask at the same moment: both pay on the order that was made first', async () => {
      const { provider, stub, network } = world
      const both = () => {
        const all = Promise.withResolvers<void>()
        let asked = 0
        const until = () => (++asked === 2 && all.resolve(), all.promise)
        return [{ until }, { until }]
      }
      // Neither knows of the other's order before it has made its own.
      network.next(...both(), ...both())
      const authorise = () => provider.authorise('k:two-askers', upi, signal)
      const [one, other] = await Promise.all([authorise(), authorise()])
      expect([...stub.orders.values()].filter(({ receipt }) => receipt === receiptOf('k:two-askers')).length).toBe(2)
      expect(booksOf('k:two-askers').filter(([, captured]) => captured)).toEqual([['captured', true, 0]])
      expect(one).toMatchObject({ payment: { status: 'captured', captured: 900n } })
      expect(other).toEqual(one)
    })

    it('takes one where another has paid since the first look', async () => {
      const { provider, network } = world
      const paid = Promise.withResolvers<void>()
      network.next({ until: () => paid.promise })
      const slow = provider.authorise('k:slow-asker', upi, signal)
      const quick = await provider.authorise('k:slow-asker', upi, signal)
      paid.resolve()
      expect(await slow).toEqual(quick)
      expect(booksOf('k:slow-asker')).toEqual([['captured', true, 0]])
    })

    it('undoes all of them: those of two orders where orders are listed late, each once', async () => {
      const { provider, stub } = world
      stub.listsLate = true
      await Promise.all([provider.authorise('k:race', upi, signal), provider.authorise('k:race', upi, signal)])
      stub.listsLate = false
      expect(booksOf('k:race')).toEqual([
        ['captured', true, 0],
        ['captured', true, 0],
      ])
      expect(await cancel('k:race')).toMatchObject({ outcome: 'succeeded', result: { captured: '900', refunded: '900' } })
      expect(await cancel('k:race')).toMatchObject({ outcome: 'succeeded' })
      expect(booksOf('k:race')).toEqual([
        ['refunded', true, 900],
        ['refunded', true, 900],
      ])
      expect([...stub.refunds.values()].filter(({ payment_id }) => madeBy('k:race').some(({ id }) => id === payment_id)).length).toBe(2)
    })

    it('has not undone them while one is held', async () => {
      const { provider, stub } = world
      const answer = await provider.authorise('k:held', card, signal)
      stub.again(receiptOf('k:held'))
      await provider.capture('c', answer.known === 'answered' ? answer.payment.paymentId : '', paise(900), signal)
      expect(await cancel('k:held')).toMatchObject({ outcome: 'unknown' })
      stub.lapse()
      expect(await cancel('k:held')).toMatchObject({ outcome: 'succeeded' })
      expect(booksOf('k:held')).toEqual([
        ['refunded', true, 900],
        ['refunded', false, 900],
      ])
    })
  })

  describe('a refund', () => {
    const paid = async (key: string) => {
      const request = { orderId: 'o-9', amount: paise(800), method: 'upi', instrument: 'success@razorpay' } as const
      const answer = await world.provider.authorise(key, request, signal)
      return answer.known === 'answered' ? answer.payment.paymentId : ''
    }
    const refund = (key: string, paymentId: string) => world.provider.refund(`${key}:refund`, paymentId, paise(300), signal)

    it.each([
      ['processed', { known: 'answered', payment: { refunded: 300n } }],
      ['failed', { known: 'refused', slug: 'refund-failed' }],
    ] as const)('that is pending has given nothing back until it is %s', async (status, ended) => {
      const { provider, stub } = world
      const key = `k:pending-${status}`
      const paymentId = await paid(key)
      stub.refundsAre = 'pending'
      for (let times = 0; times < 2; times++)
        expect(await refund(key, paymentId)).toMatchObject({ known: 'unknown', retryAfter_ms: expect.any(Number) })
      stub.refundsAre = 'processed'
      expect(await provider.find(key, signal)).toMatchObject({ payment: { captured: 800n, refunded: 0n } })
      stub.settleRefunds(status)
      expect(await refund(key, paymentId)).toMatchObject(ended)
      expect(await provider.find(key, signal)).toMatchObject({ payment: { captured: 800n, refunded: status === 'processed' ? 300n : 0n } })
    })

    it('that failed at once is refused', async () => {
      const { stub } = world
      const paymentId = await paid('k:failed')
      stub.refundsAre = 'failed'
      expect(await refund('k:failed', paymentId)).toMatchObject({ known: 'refused', slug: 'refund-failed' })
      stub.refundsAre = 'processed'
    })
  })

  describe('a look-up without an outcome', () => {
    const no = { status: 400, body: JSON.stringify({ error: { code: 'BAD_REQUEST_ERROR', reason: 'input_validation_failed' } }) }
    const refund = JSON.stringify({ id: 'rfnd_1', payment_id: 'pay_1', amount: 1, status: 'processed' })

    it.each(['answer lost', { status: 502, body: '<html>' }, no] as const)(
      '(%j) makes no refusal of a capture, and none of a refund',
      async (fault) => {
        const { provider, network } = world
        network.next(no, fault)
        expect(await provider.capture('c', 'pay_1', paise(1), signal)).toMatchObject({ known: 'unknown' })
        network.next({ status: 200, body: refund }, fault)
        expect(await provider.refund('r', 'pay_1', paise(1), signal)).toMatchObject({ known: 'unknown' })
        network.next()
      },
    )
  })

  describe('its settlement report', () => {
    const item = (entity_id: string, type: string, more: object = {}) => ({
      entity_id,
      type,
      debit: 0,
      credit: 97_100,
      amount: 100_000,
      currency: 'INR',
      fee: 2_900,
      tax: 442,
      payment_id: null,
      order_receipt: null,
      notes: [],
      ...more,
    })
    const clock = new FakeClock(beginningOf('2026-11-22'))
    const read = async (date: string) => {
      const answer = await new RazorpaySettlements(world.http, clock).of(date, signal)
      if (answer.known !== 'file') return answer
      const lines: SettlementLine[] = []
      for await (const line of answer.lines) lines.push(line)
      return lines
    }

    it('is read page by page: payments, refunds, and what else there is as adjustments; the fee without its tax', async () => {
      world.stub.recon.set('2026-11-20', [
        item('pay_1', 'payment', { notes: { idempotency_key: 'saga:authorise-payment' } }),
        item('rfnd_1', 'refund', { payment_id: 'pay_1', fee: 0, tax: 0, order_receipt: 'r-1' }),
        item('adj_1', 'adjustment'),
        ...Array.from({ length: 1_500 }, (_, nth) => item(`pay_x${nth}`, 'payment')),
      ])
      const lines = await read('2026-11-20')
      expect(Array.isArray(lines) && lines.slice(0, 3)).toEqual([
        { line: 1, kind: 'capture', paymentId: 'pay_1', reference: 'saga:authorise-payment', amount: 100_000n, fee: 2_458n, tax: 442n },
        { line: 2, kind: 'refund', paymentId: 'pay_1', reference: 'r-1', amount: 100_000n, fee: 0n, tax: 0n },
        { line: 3, kind: 'adjustment', paymentId: 'adj_1', amount: 100_000n, fee: 2_458n, tax: 442n },
      ])
      expect(Array.isArray(lines) && [lines.length, new Set(lines.map(({ line }) => line)).size]).toEqual([1_503, 1_503])
    })

    it('that is empty is not there yet, and a broken one names line and field', async () => {
      expect(await read('2026-11-21')).toEqual({ known: 'not-yet' })
      clock.advance(23 * 3_600_000)
      expect(await read('2026-11-21')).toEqual({ known: 'not-yet' })
      // Nothing was settled on that day.
      clock.advance(3_600_000)
      expect(await read('2026-11-21')).toEqual([])
      world.stub.recon.set('2026-11-22', [item('pay_1', 'payment'), item('rfnd_1', 'refund')])
      await expect(read('2026-11-22')).rejects.toThrow(new BrokenSettlementFile(2, 'payment_id', 'a refund is of a payment'))
      world.network.next({ status: 502, body: '<html>' })
      expect(await read('2026-11-20')).toMatchObject({ known: 'unknown' })
      world.network.next({ status: 200, body: '{"entity":"collection"}' })
      await expect(read('2026-11-20')).rejects.toThrow(new BrokenSettlementFile(1, 'items', 'are not as Razorpay documents them'))
    })
  })
})
