import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { paise } from '#kernel'
import {
  DEFAULT_SCORECARD,
  featuresOf,
  NO_HISTORY,
  type Background,
  type CustomerHistory,
  type Scorecard,
  scorecardAt,
  scorecardScorer,
  type Transaction,
} from '#fraud'

const scorer = scorecardScorer(DEFAULT_SCORECARD)
const rupees = (amount: number) => paise(Math.round(amount * 100))
const NOON_IST = Date.UTC(2026, 10, 1, 6, 30)

const transaction = (changes: Partial<Transaction> = {}): Transaction => ({
  customerId: 'c-1',
  amount: rupees(1_499),
  method: 'card',
  addressHash: 'address',
  at: NOON_IST,
  ...changes,
})
const background = (changes: Partial<Background> = {}): Background => ({
  customer: NO_HISTORY,
  byCustomer: [],
  byDevice: [],
  byAddress: [],
  deviceKnown: false,
  addressKnown: false,
  ...changes,
})
const score = (changes: Partial<Transaction>, around: Partial<Background> = {}) =>
  scorer.score(featuresOf(transaction(changes), background(around)))

const at = fc.integer({ min: NOON_IST - 2 * 86_400_000, max: NOON_IST + 2 * 86_400_000 })
const activities = fc.array(fc.record({ at, customerId: fc.constantFrom('c-1', 'c-2', 'c-3', 'c-4', 'c-5') }), { maxLength: 64 })
const method = fc.constantFrom('wallet', 'upi', 'card', 'netbanking', 'cod', 'split')
const places = fc.record({
  method,
  at,
  addressHash: fc.constantFrom('a-1', 'a-2'),
  deviceHash: fc.constantFrom('d-1', 'd-2'),
})
const surroundings = {
  byCustomer: activities,
  byDevice: activities,
  byAddress: activities,
  deviceKnown: fc.boolean(),
  addressKnown: fc.boolean(),
}
/** Any history in which this amount is nothing unusual: none, or one of orders at least as large. */
const usual = (amount: number): fc.Arbitrary<CustomerHistory> =>
  fc.integer({ min: 0, max: 100 }).map((count) => ({
    confirmed: { count, total: paise(BigInt(amount * count)), max: paise(count === 0 ? 0 : amount) },
    failedPaymentsAt: [],
  }))
const failures = fc.array(at, { maxLength: 64 })

describe('the default scorecard', () => {
  it('never moves an order under 50,000.00 from approve by newness, hour, velocity and failed payments alone', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 50_000_00 - 1 })
          .chain((amount) => fc.record({ amount: fc.constant(paise(amount)), customer: usual(amount) })),
        places,
        fc.record(surroundings),
        failures,
        ({ amount, customer }, where, around, failedPaymentsAt) => {
          expect(score({ ...where, amount }, { ...around, customer: { ...customer, failedPaymentsAt } }).decision).toBe('approve')
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['review', 2_00_000_00, 10_00_000_00 - 1],
    ['decline', 10_00_000_00, 50_00_000_00],
  ])('answers %s to a first order by card from %i to %i paise, at any hour, whatever else is new or fast', (decision, min, max) => {
    fc.assert(
      fc.property(fc.integer({ min, max }), places, fc.record(surroundings), failures, (amount, where, around, failedPaymentsAt) => {
        const customer = { ...NO_HISTORY, failedPaymentsAt }
        expect(score({ ...where, method: 'card', amount: paise(amount) }, { ...around, customer }).decision).toBe(decision)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    [49_999.99, 'approve'],
    [1_99_999.99, 'approve'],
    [2_00_000, 'review'],
    [9_99_999.99, 'review'],
    [10_00_000, 'decline'],
  ])('answers to a quiet first order of %d by card: %s', (amount, decision) => {
    expect(score({ amount: rupees(amount) }).decision).toBe(decision)
  })

  it('has contributions that add up to the score, the heaviest first, and a score between 0 and 1', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_00_000_00 }),
        places,
        fc.record(surroundings),
        failures,
        (amount, where, around, failed) => {
          const result = score({ ...where, amount: paise(amount) }, { ...around, customer: { ...NO_HISTORY, failedPaymentsAt: failed } })
          const points = result.reasons.map(({ contribution }) => Math.round(contribution * 1_000))
          expect(points.reduce((sum, each) => sum + each, 0)).toBe(Math.round(result.score * 1_000))
          expect(points).toEqual(points.toSorted((a, b) => b - a))
          expect(result.score).toBeGreaterThanOrEqual(0)
          expect(result.score).toBeLessThanOrEqual(1)
        },
      ),
    )
  })

  it('holds an amount against a habit, and stops a stolen card of a faithful customer', () => {
    const customer = { ...NO_HISTORY, confirmed: { count: 10, total: rupees(10_000), max: rupees(2_000) } }
    const known = { customer, deviceKnown: true, addressKnown: true }
    expect(score({ amount: rupees(1_500) }, known)).toMatchObject({ score: 0, decision: 'approve', reasons: [] })
    const large = score(
      { amount: rupees(40_000), at: NOON_IST - 10 * 3_600_000 },
      { customer: { ...customer, failedPaymentsAt: [NOON_IST - 11 * 3_600_000] } },
    )
    expect(large.decision).toBe('review')
    expect(large.reasons.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['amount-above-habit', 'amount-above-largest', 'new-address', 'night']),
    )
  })

  it('lets money that is already in a wallet pay a first order', () => {
    expect(score({ method: 'wallet', amount: rupees(1_99_999) }).decision).toBe('approve')
  })
})

describe('features', () => {
  const features = (changes: Partial<Transaction>, around: Partial<Background> = {}) => featuresOf(transaction(changes), background(around))

  it('counts each window by itself, and not what came later', () => {
    const ago = [30_000, 300_000, 1_800_000, 7_200_000, 90_000_000, -120_000]
    const byCustomer = ago.map((each) => ({ at: NOON_IST - each, customerId: 'c-1' }))
    expect(features({}, { byCustomer })).toMatchObject({
      customerPerMinute: 1,
      customerPer10Minutes: 2,
      customerPerHour: 3,
      customerPerDay: 4,
    })
  })

  it.each([
    [Date.UTC(2026, 10, 1, 18, 29, 59), 23, 0],
    [Date.UTC(2026, 10, 1, 18, 30), 0, 1],
    [Date.UTC(2026, 10, 1, 23, 29, 59), 4, 1],
    [Date.UTC(2026, 10, 1, 23, 30), 5, 0],
  ])('reads the hour in India at %i: %i', (time, hour, night) => {
    expect(features({ at: time })).toMatchObject({ hour, night })
  })

  it('sees how many customers share a device', () => {
    const byDevice = ['c-1', 'c-2', 'c-2', 'c-3'].map((customerId) => ({ at: NOON_IST - 1_000, customerId }))
    expect(features({ deviceHash: 'd' }, { byDevice })).toMatchObject({ customersOnDevice: 3, devicePerMinute: 4, newDevice: 1 })
    expect(features({})).toMatchObject({ customersOnDevice: 0, newDevice: 0 })
  })
})

describe('scorecards', () => {
  const card = (version: string, effectiveFrom: number): Scorecard => ({ ...DEFAULT_SCORECARD, version, effectiveFrom })

  it('come into force by date', () => {
    const cards = [card('2', 200), card('1', 100), card('3', 300)]
    expect(scorecardAt(cards, 99)).toBeUndefined()
    expect(scorecardAt(cards, 100)?.version).toBe('1')
    expect(scorecardAt(cards, 299)?.version).toBe('2')
    expect(scorecardAt(cards, 1_000)?.version).toBe('3')
  })
})
