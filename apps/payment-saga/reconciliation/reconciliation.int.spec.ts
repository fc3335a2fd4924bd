import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { ProviderPaymentChanged } from '#contracts'
import { paise, systemIds, type IncomingMessage } from '#kernel'
import { FakeClock } from '#kernel/testing'
import { beginningOf, BrokenSettlementFile, daysAfter, indianDate, type SettlementAnswer, type SettlementLine } from '#payment'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import fc from 'fast-check'
import type pg from 'pg'
import { reconciliationMigrations } from './migrations.js'
import { bookProviderMovements } from './provider-movements.js'
import { Overtaken, Reconciliation } from './reconciliation.js'
import { Reconciler } from './reconciler.js'
import { ReconciliationReports } from './reports.js'

const FIRST = '2026-11-02'
const DAYS = [FIRST, daysAfter(FIRST, 1), daysAfter(FIRST, 2)]
/** What happened late on the last day is known to us on the day after it. */
const RECONCILED = [...DAYS, daysAfter(FIRST, 3)]
const HOUR_MS = 3_600_000

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase(reconciliationMigrations)
  pool = createPool(database)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
const empty = () => pool.query('TRUNCATE provider_movements, reconciliations, settlement_lines, reconciliation_cases')
beforeEach(empty)

const told = (providerPaymentId: string, at: number, captured: bigint, refunded: bigint): IncomingMessage => {
  const amounts = { captured: `${captured}`, refunded: `${refunded}` }
  const data = { ...ProviderPaymentChanged.example, providerPaymentId, ...amounts, at: new Date(at).toISOString() }
  const message = ProviderPaymentChanged.message('key', data, { correlationId: 'c', causationId: 'c' })
  return { ...message, id: 'm', partition: 0, offset: 0n, source: 'test', origin: { incarnation: 'i', position: 1n, ordinal: 0 }, time: 0 }
}
const hear = (...messages: readonly IncomingMessage[]) =>
  pgTransactions(pool).run(async (tx) => (await bookProviderMovements(messages))(tx))

type Line = Omit<SettlementLine, 'line'>
const line = (kind: Line['kind'], paymentId: string, amount: bigint): Line => ({
  kind,
  paymentId,
  amount: paise(amount),
  fee: paise(2),
  tax: paise(1),
})
async function* numbered(lines: readonly Line[]): AsyncGenerator<SettlementLine> {
  for (const [nth, each] of lines.entries()) yield { line: nth + 2, ...each }
}

/** The world's files and clock around what reconciles. */
const setUp = (files: Record<string, readonly Line[] | Error | 'not-yet'>, at = beginningOf(DAYS[0] ?? ''), settlesAfter = 0) => {
  const clock = new FakeClock(at)
  const asked: string[] = []
  const errors: unknown[] = []
  const of = async (date: string): Promise<SettlementAnswer> => {
    asked.push(date)
    const file = files[date] ?? []
    if (file === 'not-yet') return { known: 'not-yet' }
    if (!(file instanceof Error)) return { known: 'file', lines: numbered(file) }
    const lines = (async function* () {
      yield* numbered([line('capture', 'p-cut', 500n)])
      throw file
    })()
    return { known: 'file', lines }
  }
  const transactions = pgTransactions(pool)
  const reconciliation = new Reconciliation({ pool, transactions, clock, settlesAfter })
  const reconciler = new Reconciler({ pool, clock, files: { of }, reconciliation, onError: (error) => errors.push(error) })
  const reports = new ReconciliationReports(pool)
  const drain = async () => {
    while (await reconciler.workDue());
  }
  const again = async (date: string) => {
    await transactions.run((tx) => reconciler.ask(date, 'ops', 'to be sure', tx))
    await drain()
  }
  const cases = async () => (await reports.cases({}, undefined, 100)).toReversed()
  return { clock, files, asked, errors, reconciliation, reconciler, reports, transactions, drain, again, cases }
}

describe('a reconciliation', () => {
  type Plant = 'none' | 'missing-here' | 'missing-there' | 'different-amount'
  const plant = fc.oneof(
    { weight: 3, arbitrary: fc.constant('none' as Plant) },
    fc.constantFrom<Plant>('missing-here', 'missing-there', 'different-amount'),
  )
  const moved = fc.record({
    // Whole rupees, so that a planted odd paisa never makes another sum.
    amount: fc.integer({ min: 1, max: 50_000 }).map((rupees) => BigInt(rupees) * 100n),
    day: fc.nat(DAYS.length - 1),
    hour: fc.nat(23),
    /** We know of it so many hours later, over midnight too. */
    delay_h: fc.nat(5),
  })
  const payment = fc.record({
    capture: moved,
    refunds: fc.array(moved, { maxLength: 3 }),
    plants: fc.record({ capture: plant, refund: plant }),
    odd: fc.bigInt({ min: 1n, max: 99n }),
  })

  it('finds each planted difference exactly once, and nothing else, whatever is run again, and none once it is mended', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(payment, { minLength: 1, maxLength: 12 }), fc.shuffledSubarray(RECONCILED), async (payments, repeats) => {
        await empty()
        const files: Record<string, Line[]> = Object.fromEntries(DAYS.map((date) => [date, []]))
        const mended: Record<string, Line[]> = Object.fromEntries(DAYS.map((date) => [date, []]))
        const unheard: IncomingMessage[] = []
        const planted = new Map<string, Plant>()
        const ours: { readonly message: IncomingMessage; readonly at: number }[] = []
        for (const { capture, refunds, plants, odd } of payments) {
          const paymentId = systemIds.next()
          for (const kind of ['capture', 'refund'] as const) {
            const movements = kind === 'capture' ? [capture] : refunds.toSorted((a, b) => a.day * 24 + a.hour - b.day * 24 - b.hour)
            if (movements.length === 0) continue
            if (plants[kind] !== 'none') planted.set(`${paymentId} ${kind}`, plants[kind])
            let sum = 0n
            for (const [nth, { amount, day, hour, delay_h }] of movements.entries()) {
              const at = beginningOf(DAYS[day] ?? '') + hour * HOUR_MS
              const date = indianDate(at)
              sum += amount
              const message = told(paymentId, at + delay_h * HOUR_MS, kind === 'capture' ? sum : 0n, kind === 'refund' ? sum : 0n)
              if (plants[kind] === 'missing-here') unheard.push(message)
              else ours.push({ message, at: at + delay_h * HOUR_MS })
              const wrong = plants[kind] === 'different-amount' && nth === 0 ? amount + odd : amount
              if (plants[kind] !== 'missing-there') files[date]?.push(line(kind, paymentId, wrong))
              mended[date]?.push(line(kind, paymentId, amount))
            }
          }
        }
        await hear(...ours.map(({ message }) => message))
        const world = setUp({ ...files }, beginningOf(daysAfter(FIRST, 4)))
        for (const date of RECONCILED) await world.again(date)
        const found = await world.cases()
        const open = found.filter(({ status }) => status === 'OPEN')
        expect(new Map(open.map(({ providerPaymentId, kind, difference }) => [`${providerPaymentId} ${kind}`, difference]))).toEqual(
          planted,
        )
        expect(open.length).toBe(planted.size)
        for (const date of repeats) await world.again(date)
        expect((await world.cases()).filter(({ status }) => status === 'OPEN')).toEqual(open)
        // The provider sends files that are right, and we learn what we did not know.
        Object.assign(world.files, mended)
        await hear(...unheard)
        for (const date of RECONCILED) await world.again(date)
        const left = await world.cases()
        expect(left.filter(({ status }) => status === 'OPEN')).toEqual([])
        const byKeys = (each: readonly { caseId: string }[]) => each.map(({ caseId }) => caseId)
        expect(byKeys(left)).toEqual(expect.arrayContaining(byKeys(open)))
        expect(left.every(({ resolvedBy }) => resolvedBy === 'reconciliation')).toBe(true)
        expect(world.errors).toEqual([])
      }),
      { numRuns: 20 },
    )
  })

  it('reports what agreed, what did not, and what the provider keeps', async () => {
    const at = beginningOf(FIRST) + HOUR_MS
    await hear(told('p-1', at, 1_000n, 300n), told('p-2', at, 500n, 0n))
    const world = setUp({ [FIRST]: [line('capture', 'p-1', 1_000n), line('refund', 'p-1', 300n), line('adjustment', 'adj-1', 50n)] })
    await world.again(FIRST)
    // Of the day so far: what we come to know of after the file was asked for is no part of it.
    expect(await world.reports.of(FIRST)).toMatchObject({ status: 'DONE', lines: 3, matched: { movements: 2, amount: 1_300n } })
    world.clock.advance(48 * HOUR_MS)
    await world.again(FIRST)
    expect(await world.reports.of(FIRST)).toMatchObject({
      date: FIRST,
      status: 'DONE',
      requestedBy: 'ops',
      reason: 'to be sure',
      lines: 3,
      matched: { movements: 2, amount: 1_300n },
      cases: { open: 2, resolved: 0, byDifference: { 'missing-here': 1, 'missing-there': 1, 'different-amount': 0 } },
      provider: { captured: 1_000n, refunded: 300n, fee: 6n, tax: 3n, net: 691n },
    })
    expect(await world.cases()).toMatchObject([
      { difference: 'missing-here', kind: 'adjustment', providerPaymentId: 'adj-1', theirs: 50n, ours: 0n },
      { difference: 'missing-there', kind: 'capture', providerPaymentId: 'p-2', theirs: 0n, ours: 500n, orderId: expect.any(String) },
    ])
    expect(await world.reports.counts()).toMatchObject({ open: { 'missing-here': 1, 'missing-there': 1 }, failedDays: 0 })
  })

  it('of a provider that settles some working days later opens no case before they have passed, and then each', async () => {
    // 2026-11-12 is a Thursday; the 14th is a second Saturday. By three working days it is settled by the 17th, a Tuesday.
    const thursday = '2026-11-12'
    const tuesday = '2026-11-17'
    const days = Array.from({ length: 7 }, (_, nth) => daysAfter(thursday, nth))
    const at = beginningOf(thursday) + HOUR_MS
    await hear(
      told('p-settled', at, 1_000n, 0n),
      told('p-never', at, 500n, 0n),
      told('p-parts', at, 900n, 100n),
      told('p-parts', at + 1, 900n, 300n),
      told('p-wrong', at, 700n, 0n),
    )
    const files: Record<string, readonly Line[]> = {
      '2026-11-16': [line('capture', 'p-settled', 1_000n), line('refund', 'p-parts', 100n), line('capture', 'p-wrong', 900n)],
      [tuesday]: [line('capture', 'p-parts', 900n), line('refund', 'p-parts', 200n)],
    }
    const world = setUp(files, beginningOf('2026-11-30'), 3)
    const opened: Record<string, readonly string[]> = {}
    for (const date of days) {
      await world.again(date)
      const found = await world.cases()
      opened[date] = found.map(({ providerPaymentId, kind, difference, status }) => `${providerPaymentId} ${kind} ${difference} ${status}`)
    }
    // More than we ever took is wrong whenever it comes.
    const wrong = 'p-wrong capture different-amount OPEN'
    expect(opened).toEqual({
      '2026-11-12': [],
      '2026-11-13': [],
      '2026-11-14': [],
      '2026-11-15': [],
      '2026-11-16': [wrong],
      [tuesday]: [wrong, 'p-never capture missing-there OPEN'],
      '2026-11-18': [wrong, 'p-never capture missing-there OPEN'],
    })
  })

  it('leaves a case that a person resolved, until something changes', async () => {
    const world = setUp({ [FIRST]: [line('capture', 'p-1', 1_000n)] }, beginningOf(DAYS[2] ?? ''))
    await world.again(FIRST)
    const [found] = await world.cases()
    const resolve = () =>
      world.transactions.run((tx) =>
        world.reports.resolve({ caseId: found?.caseId ?? '', version: found?.version ?? 0 }, 'ops', 'a test payment', 1, tx),
      )
    expect([await resolve(), await resolve()]).toEqual([true, false])
    await world.again(FIRST)
    expect(await world.cases()).toMatchObject([{ status: 'RESOLVED', resolvedBy: 'ops', resolution: 'a test payment' }])
    world.files[FIRST] = [line('capture', 'p-1', 2_000n)]
    await world.again(FIRST)
    expect((await world.cases()).map(({ status, theirs }) => [status, theirs])).toEqual([
      ['RESOLVED', 1_000n],
      ['OPEN', 2_000n],
    ])
  })
})

it('a case counts its changes, and is resolved only as it was seen', async () => {
  const world = setUp({ [FIRST]: [line('capture', 'p-1', 1_000n)] }, beginningOf(DAYS[2] ?? ''))
  await world.again(FIRST)
  const [seen] = await world.cases()
  await world.again(FIRST)
  expect((await world.cases()).map(({ version }) => version)).toEqual([1])
  world.files[FIRST] = [line('capture', 'p-1', 2_000n)]
  await world.again(FIRST)
  const [now] = await world.cases()
  expect([seen?.version, now?.version, now?.theirs]).toEqual([1, 2, 2_000n])
  const resolve = (found = seen) =>
    world.transactions.run((tx) =>
      world.reports.resolve({ caseId: found?.caseId ?? '', version: found?.version ?? 0 }, 'ops', 'seen', 1, tx),
    )
  expect([await resolve(seen), await resolve(now), await resolve(now)]).toEqual([false, true, false])
  expect((await world.cases()).map(({ version, status }) => [version, status])).toEqual([[3, 'RESOLVED']])
})

describe('the reconciler', () => {
  it('asks for each day once it is over, from the first with money on, and until there is a file', async () => {
    await hear(told('p-1', beginningOf(FIRST) + HOUR_MS, 1_000n, 0n))
    const world = setUp({ [FIRST]: 'not-yet' }, beginningOf(FIRST) + 23 * HOUR_MS)
    await world.drain()
    world.clock.advance(4 * HOUR_MS)
    await world.drain()
    expect(world.asked).toEqual([])
    world.clock.advance(HOUR_MS)
    // Two processes at once.
    await Promise.all([world.drain(), world.drain()])
    expect([world.asked, await world.reports.of(FIRST)]).toMatchObject([[FIRST], { status: 'WAITING', requestedBy: 'reconciliation' }])
    for (let minutes = 0; minutes < 120; minutes++) {
      world.clock.advance(60_000)
      await world.drain()
    }
    expect(world.asked.length).toBeGreaterThan(3)
    expect(world.asked.length).toBeLessThan(12)
    world.files[FIRST] = [line('capture', 'p-1', 1_000n)]
    world.clock.advance(HOUR_MS)
    await world.drain()
    expect(await world.reports.of(FIRST)).toMatchObject({ status: 'DONE', matched: { movements: 1 }, cases: { open: 0 } })
    // Away for days: each is made up for.
    world.clock.advance(72 * HOUR_MS)
    await world.drain()
    expect(new Set(world.asked)).toEqual(new Set([FIRST, ...DAYS, daysAfter(FIRST, 3)]))
  })

  it('takes nothing of a broken file, says its line and field, and goes on when a person asks again', async () => {
    const world = setUp({ [FIRST]: [line('capture', 'p-1', 1_000n)] }, beginningOf(DAYS[2] ?? ''))
    await world.again(FIRST)
    const [before] = await world.cases()
    world.files[FIRST] = new BrokenSettlementFile(7, 'amount', 'must be whole paise, 1 or more')
    await world.again(FIRST)
    expect(await world.reports.of(FIRST)).toMatchObject({
      status: 'FAILED',
      failure: { line: 7, field: 'amount', detail: 'must be whole paise, 1 or more' },
      lines: 1,
    })
    expect(await world.cases()).toEqual([before])
    expect((await pool.query('SELECT FROM settlement_lines')).rowCount).toBe(1)
    expect(await world.reports.counts()).toMatchObject({ failedDays: 1 })
    world.files[FIRST] = []
    await world.again(FIRST)
    expect(await world.reports.of(FIRST)).toMatchObject({ status: 'DONE', lines: 0, cases: { resolved: 1, open: 0 } })
  })

  it('reads a file again that was interrupted, and gives up in the end', async () => {
    const world = setUp({ [FIRST]: new Error('the connection was reset') }, beginningOf(DAYS[2] ?? ''))
    await world.again(FIRST)
    expect([await world.reports.of(FIRST), world.errors.length]).toMatchObject([{ status: 'WAITING', lines: 0 }, 1])
    for (let tries = 0; tries < 120; tries++) {
      world.clock.advance(HOUR_MS)
      await world.drain()
    }
    expect([await world.reports.of(FIRST), world.errors.length]).toMatchObject([
      { status: 'FAILED', failure: { detail: 'the file could not be read to its end' } },
      100,
    ])
  })

  it('lets a run that was begun anew meanwhile change nothing', async () => {
    const world = setUp({}, beginningOf(DAYS[2] ?? ''))
    await world.again(FIRST)
    const stale = numbered([line('capture', 'p-stale', 1n)])
    await expect(world.reconciliation.run(FIRST, 0, world.clock.now(), stale)).rejects.toThrow(Overtaken)
    expect([(await world.reports.of(FIRST))?.lines, await world.cases()]).toEqual([0, []])
  })
})
