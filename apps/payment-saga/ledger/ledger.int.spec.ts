import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { PaymentChanged, ProviderPaymentChanged } from '#contracts'
import { paise, systemIds, type IncomingMessage, type MessageContext, type OutgoingMessage } from '#kernel'
import { FakeClock } from '#kernel/testing'
import { commissionSplit, compensationDue, turnaroundOf, type CommissionRow } from '#payment'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import fc from 'fast-check'
import type pg from 'pg'
import { invariants } from '../invariants.js'
import { LedgerConsumer } from '../messages/ledger.consumer.js'
import { reconciliationMigrations } from '../reconciliation/migrations.js'
import { Ledger } from './ledger.js'
import { ledgerMigrations } from './migrations.js'
import { Settlements } from './settlements.js'
import { TurnaroundClock } from './turnaround-clock.js'

const COMMISSION: readonly CommissionRow[] = [
  { effectiveFrom: '2025-04-01', basisPoints: 200, gstRate: 18, source: 'test' },
  { effectiveFrom: '2026-11-03', basisPoints: 333, gstRate: 18, source: 'test' },
]
const HOUR_MS = 3_600_000

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase([...ledgerMigrations, ...reconciliationMigrations])
  pool = createPool(database)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const ledger = new Ledger(COMMISSION)
let offset = 0n
const heard = <Data extends object>(
  of: { parse(data: unknown): Data; message(key: string, data: Data, context: MessageContext): OutgoingMessage },
  data: object,
): IncomingMessage => {
  const message = of.message('key', of.parse(data), { correlationId: 'c', causationId: 'c' })
  const origin = { incarnation: 'test', position: ++offset, ordinal: 0 }
  return { ...message, id: `m-${offset}`, partition: 0, offset, source: 'test', origin, time: 0 }
}
const told = (more: object) => heard(PaymentChanged, { ...PaymentChanged.example, captured: '0', ...more })
const hear = (...messages: readonly IncomingMessage[]) => pgTransactions(pool).run(async (tx) => (await ledger.handle(messages))(tx))
const balances = async (where: string, values: unknown[] = []) => {
  const { rows } = await pool.query<{ account: string; amount: bigint }>(
    `SELECT account, sum(amount)::bigint AS amount FROM ledger_entries WHERE ${where} GROUP BY account`,
    values,
  )
  return Object.fromEntries(rows.map(({ account, amount }) => [account, amount]))
}
const unbalanced = async () => (await pool.query('SELECT FROM ledger_entries GROUP BY journal HAVING sum(amount) <> 0')).rowCount

describe('the books of payments', () => {
  it('divide a capture by the terms of its day, and take back from each its share', async () => {
    const of = { paymentId: systemIds.next(), orderId: systemIds.next() }
    const taken = { ...of, captured: '122500', at: '2026-11-02T18:00:00.000Z' }
    // The second half is given back when other terms hold.
    await hear(told(taken), told({ ...taken, refunded: '61250', at: '2026-11-04T10:00:00.000Z' }))
    expect(await balances(`payment_id = $1 AND kind = 'capture'`, [of.paymentId])).toEqual({
      collected: 122_500n,
      'merchant-payable': -119_609n,
      commission: -2_450n,
      'commission-cgst': -220n,
      'commission-sgst': -221n,
    })
    expect(await balances('payment_id = $1', [of.paymentId])).toMatchObject({ collected: 61_250n, commission: -1_225n })
    await hear(told({ ...taken, refunded: '122500', at: '2026-11-05T10:00:00.000Z' }))
    expect(Object.values(await balances('payment_id = $1', [of.paymentId]))).toEqual([0n, 0n, 0n, 0n, 0n])
    expect(await unbalanced()).toBe(0)
  })

  it('come to the same whatever is told twice, late or together, and every posting balances', async () => {
    const amounts = fc.array(fc.tuple(fc.nat(10_000), fc.nat(10_000)), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(amounts, fc.nat(3), async (steps, split) => {
        const of = { paymentId: systemIds.next(), orderId: systemIds.next() }
        const states = steps.map((_, nth) => {
          const captured = steps.slice(0, nth + 1).reduce((sum, [more]) => sum + more, 0)
          const refunded = steps.slice(0, nth + 1).reduce((sum, [, back]) => Math.min(sum + back, captured), 0)
          return { ...of, captured: String(captured), refunded: String(refunded) }
        })
        const messages = states.map((state) => told(state))
        await hear(...messages.slice(0, split))
        await hear(...messages.slice(Math.max(split - 1, 0)))
        await hear(...messages)
        const last = states.at(-1)
        const { collected, merchantPayable, commission } = commissionSplit(paise(last?.captured ?? 0), paise(last?.refunded ?? 0), {
          basisPoints: 200,
          gstRate: 18,
        })
        const booked = await balances('payment_id = $1', [of.paymentId])
        expect([booked['collected'] ?? 0n, -(booked['merchant-payable'] ?? 0n), -(booked['commission'] ?? 0n)]).toEqual([
          collected,
          merchantPayable,
          commission,
        ])
      }),
      { numRuns: 25 },
    )
    expect(await unbalanced()).toBe(0)
  })

  it('hold that a complete payment took exactly what it was to take, and count which did not', async () => {
    await pool.query('TRUNCATE ledger_payments, ledger_entries')
    const held = invariants.find(({ name }) => name === 'captured-exactly')
    const of = (amount: string, captured: string, more: object = {}) => {
      const payment = {
        paymentId: systemIds.next(),
        orderId: systemIds.next(),
        method: 'card',
        status: 'COMPLETED',
        amount,
        captured,
        ...more,
      }
      return { payment, message: told(payment) }
    }
    const right = [of('500', '500'), of('500', '0', { method: 'cod' }), of('500', '0', { status: 'RUNNING' })]
    const wrong = [of('500', '1'), of('500', '0')]
    await hear(...[...right, ...wrong].map(({ message }) => message))
    expect((await held?.violations(pool))?.toSorted()).toEqual(wrong.map(({ payment }) => payment.paymentId).toSorted())
    // What is told once more, or of before, does not make it right; the rest of the money does.
    await hear(told({ ...wrong[0]?.payment, status: 'RUNNING' }))
    expect(await held?.violations(pool)).toHaveLength(2)
    await hear(...wrong.map(({ payment }) => told({ ...payment, captured: '500' })))
    expect(await held?.violations(pool)).toEqual([])
    expect(await unbalanced()).toBe(0)
  })

  it('are read by days of India, page by page', async () => {
    const orders = Array.from({ length: 3 }, (_, nth) => ({
      paymentId: systemIds.next(),
      orderId: systemIds.next(),
      captured: String(1_000 + nth),
    }))
    const at = ['2026-12-01T18:29:59.999Z', '2026-12-01T18:30:00.000Z', '2026-12-02T18:29:59.999Z']
    for (const [nth, order] of orders.entries()) await hear(told({ ...order, at: at[nth] ?? '' }))
    const settlements = new Settlements(pool)
    expect(await settlements.totals('2026-12-02')).toMatchObject({ postings: { capture: 2, refund: 0 }, balances: { collected: 2_003n } })
    const [first] = await settlements.list('2026-12-02', undefined, 1)
    expect(first).toMatchObject({ orderId: orders[1]?.orderId, kind: 'capture', balances: { collected: 1_001n } })
    const rest = await settlements.list('2026-12-02', first && { at: first.at, journal: first.journal }, 10)
    expect(rest.map(({ orderId }) => orderId)).toEqual([orders[2]?.orderId])
  })
})

describe('money that was taken for nothing', () => {
  const consumer = new LedgerConsumer(ledger)
  const START = Date.parse('2026-11-01T10:00:00Z')
  const setUp = (of: object = {}) => {
    const clock = new FakeClock(START)
    const turnarounds = new TurnaroundClock({ pool, transactions: pgTransactions(pool), clock })
    const sagaId = systemIds.next()
    const payment = {
      sagaId,
      orderId: systemIds.next(),
      providerPaymentId: `pay_${sagaId}`,
      captured: '50000',
      paidAt: undefined,
      use: 'undone',
    }
    const say = async (more: object = {}) => {
      const at = new Date(clock.now()).toISOString()
      const data = JSON.parse(JSON.stringify({ ...ProviderPaymentChanged.example, ...payment, at, ...of, ...more }))
      const effect = await consumer.onPayments([heard(ProviderPaymentChanged, data)])
      await pgTransactions(pool).run(async (tx) => effect(tx))
    }
    const owed = async () => -((await balances(`payment_id = $1 AND account = 'customer-payable'`, [sagaId]))['customer-payable'] ?? 0n)
    const go = async (hours: number) => {
      clock.advance(hours * HOUR_MS)
      // Two processes at once, and again: once.
      await Promise.all([turnarounds.sweep(), turnarounds.sweep()])
      await turnarounds.sweep()
      return owed()
    }
    return { clock, turnarounds, say, go }
  }
  const back = { refunded: '50000' }

  it('costs nothing that is back in time', async () => {
    const { turnarounds, say, go } = setUp()
    await say()
    expect(await turnarounds.counts()).toEqual({ awaited: 1, late: 0 })
    await say(back)
    expect([await go(24 * 30), await turnarounds.counts()]).toEqual([0n, { awaited: 0, late: 0 }])
  })

  it('is owed a hundred rupees a day after T+5, once for each day, until it is back', async () => {
    const { clock, turnarounds, say, go } = setUp()
    await say()
    // The sixth day of November ends at 18:30 UTC.
    expect(await go(5 * 24 + 8)).toBe(0n)
    expect([await go(1), await turnarounds.counts()]).toEqual([10_000n, { awaited: 1, late: 1 }])
    expect(await go(23)).toBe(10_000n)
    // Nobody looked for two days and a bit; it came back on the third, and all are owed.
    clock.advance(50 * HOUR_MS)
    await say(back)
    expect([await go(24 * 7), await turnarounds.counts()]).toEqual([40_000n, { awaited: 0, late: 0 }])
    expect(await unbalanced()).toBe(0)
  })

  it('counts from when the provider says that it was paid, and not from when we heard of it', async () => {
    // Paid on the 31st of October by India's calendar, heard of on the 1st of November.
    const { say, go } = setUp({ paidAt: '2026-10-31T18:29:59.999Z' })
    await say()
    expect([await go(4 * 24 + 8), await go(1)]).toEqual([0n, 10_000n])
    await say(back)
  })

  it('counts from when we heard of it at the latest, whatever the clock of the provider says', async () => {
    const { say, go } = setUp({ paidAt: '2027-01-01T00:00:00.000Z' })
    await say({ use: 'open' })
    // It turned back four days after it was taken.
    await go(4 * 24)
    await say()
    expect([await go(24 + 8), await go(1)]).toEqual([0n, 10_000n])
    await say(back)
  })

  it('is owed for also when it was found and given back in one run, if that was late', async () => {
    const { turnarounds, say, go } = setUp({ paidAt: '2026-10-20T10:00:00.000Z' })
    await say(back)
    // T+5 was the 25th of October; it came back on the 1st of November.
    expect([await go(0), await go(24 * 30), await turnarounds.counts()]).toEqual([70_000n, 70_000n, { awaited: 0, late: 0 }])
    expect(await unbalanced()).toBe(0)
  })

  it('of an order that goes on is not watched', async () => {
    const { turnarounds, say, go } = setUp()
    await say({ use: 'open' })
    await say({ use: 'done' })
    await say({ use: 'done', ...back })
    expect([await turnarounds.counts(), await go(24 * 30)]).toEqual([{ awaited: 0, late: 0 }, 0n])
  })

  it.each([
    ['is credited late', { use: 'done' }],
    ['is given back late', { use: 'undone', ...back }],
  ])('of a load that %s is held to T+1, from when it was taken', async (_, end) => {
    const { turnarounds, say, go } = setUp({ purpose: 'load' })
    await say({ use: 'open' })
    expect([await go(24 + 8), await go(1)]).toEqual([0n, 10_000n])
    await say(end)
    expect([await go(48), await turnarounds.counts()]).toEqual([10_000n, { awaited: 0, late: 0 }])
  })

  it('of a load that is credited in time costs nothing', async () => {
    const { turnarounds, say, go } = setUp({ purpose: 'load' })
    await say({ use: 'open' })
    await say({ use: 'done' })
    expect([await go(24 * 30), await turnarounds.counts()]).toEqual([0n, { awaited: 0, late: 0 }])
  })

  it('that was back in time, and is heard of when days were posted already, is owed for no more: each is taken back, once', async () => {
    const { clock, turnarounds, say, go } = setUp()
    await say()
    await go(5 * 24 + 7)
    const at = new Date(clock.now()).toISOString()
    // Nobody hears of it for two midnights.
    expect(await go(26)).toBe(20_000n)
    await say({ ...back, at })
    expect([await go(0), await turnarounds.counts()]).toEqual([0n, { awaited: 0, late: 0 }])
    expect(await go(24 * 7)).toBe(0n)
    expect(await unbalanced()).toBe(0)
  })

  it('that was back late is owed for the days until then, however late that is heard of', async () => {
    const { clock, say, go } = setUp()
    await say()
    expect(await go(5 * 24 + 9)).toBe(10_000n)
    const at = new Date(clock.now()).toISOString()
    expect(await go(48)).toBe(30_000n)
    await say({ ...back, at })
    expect([await go(0), await go(24 * 7)]).toEqual([10_000n, 10_000n])
    expect(await unbalanced()).toBe(0)
  })

  it('comes to what the rule says, whenever it was paid, heard of and given back', async () => {
    const hours = fc.integer({ min: 0, max: 24 * 12 })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('order', 'load'),
        fc.constantFrom('upi', 'card', 'netbanking'),
        hours,
        hours,
        hours,
        async (purpose, method, heardAfter, backAfter, toldAfter) => {
          const paidAt = START - heardAfter * HOUR_MS
          const { say, go } = setUp({ purpose, method, paidAt: new Date(paidAt).toISOString() })
          await say()
          await go(backAfter)
          await go(toldAfter)
          await say({ ...back, at: new Date(START + backAfter * HOUR_MS).toISOString() })
          const rule = turnaroundOf(purpose === 'load' ? 'wallet' : method, paidAt)
          expect(await go(24 * 3)).toBe(rule && compensationDue(rule, START + backAfter * HOUR_MS))
        },
      ),
      { numRuns: 25 },
    )
    expect(await unbalanced()).toBe(0)
  })
})
