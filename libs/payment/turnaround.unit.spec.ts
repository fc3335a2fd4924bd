import { describe, expect, it } from '@jest/globals'
import { compensationDue, daysLate, turnaroundOf, TURNAROUND_ROWS, type Turnaround } from '#payment'
import fc from 'fast-check'

const HOUR_MS = 3_600_000
const of = (method: 'wallet' | 'upi' | 'card', at: string): Turnaround => {
  const turnaround = turnaroundOf(method, Date.parse(at))
  if (!turnaround) throw new Error('no row')
  return turnaround
}

describe("RBI's turnaround times", () => {
  it.each([
    ['wallet', '2026-11-01T10:00:00Z', '2026-11-02', '2026-11-02T18:30:00Z'],
    ['upi', '2026-11-01T10:00:00Z', '2026-11-06', '2026-11-06T18:30:00Z'],
    ['card', '2026-11-01T10:00:00Z', '2026-11-06', '2026-11-06T18:30:00Z'],
    // In India it is the next day already.
    ['upi', '2026-11-01T18:30:00Z', '2026-11-07', '2026-11-07T18:30:00Z'],
    ['wallet', '2026-12-31T18:29:59Z', '2027-01-01', '2027-01-01T18:30:00Z'],
  ] as const)('%s debited at %s is in time until the end of %s', (method, at, dueDate, lateAt) => {
    expect(of(method, at)).toEqual({ dueDate, lateAt: Date.parse(lateAt), compensation: 10_000n })
  })

  it('count calendar days: a Sunday, a second Saturday and a holiday are days as any other', () => {
    // The 14th of November 2026 is a second Saturday, the 15th a Sunday; the 26th of January is Republic Day.
    expect([of('wallet', '2026-11-13T10:00:00Z').dueDate, of('wallet', '2026-11-14T10:00:00Z').dueDate]).toEqual([
      '2026-11-14',
      '2026-11-15',
    ])
    expect(of('upi', '2027-01-21T10:00:00Z').dueDate).toBe('2027-01-26')
  })

  it("are the same for every moment of a day of India's calendar, and end with one", () => {
    const day = fc.integer({ min: 19_000, max: 25_000 })
    fc.assert(
      fc.property(day, fc.integer({ min: 0, max: 24 * HOUR_MS - 1 }), fc.constantFrom('wallet', 'upi', 'card'), (nth, within, method) => {
        const midnight = nth * 24 * HOUR_MS - 5.5 * HOUR_MS
        const turnaround = turnaroundOf(method, midnight + within)
        expect(turnaround).toEqual(turnaroundOf(method, midnight))
        expect(turnaround?.lateAt).toBe(midnight + (method === 'wallet' ? 2 : 6) * 24 * HOUR_MS)
      }),
    )
  })

  it('know nothing of the time before them', () => {
    expect(turnaroundOf('upi', Date.parse('2019-10-14T18:29:59Z'))).toBeUndefined()
    expect(TURNAROUND_ROWS.every(({ source }) => source.includes('2019-09-20'))).toBe(true)
  })

  it('cost a hundred rupees for each day of delay begun', () => {
    const turnaround = of('upi', '2026-11-01T10:00:00Z')
    const { lateAt } = turnaround
    expect([lateAt - 1, lateAt, lateAt + 24 * HOUR_MS - 1, lateAt + 24 * HOUR_MS].map((at) => compensationDue(turnaround, at))).toEqual([
      0n,
      10_000n,
      10_000n,
      20_000n,
    ])
  })

  it('never cost less later, and one day more after each day', () => {
    const at = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2030, 0) })
    fc.assert(
      fc.property(at, fc.integer({ min: 0, max: 100 * 24 }), (debitedAt, hours) => {
        const turnaround = turnaroundOf('upi', debitedAt)
        if (!turnaround) throw new Error('no row')
        const later = debitedAt + hours * HOUR_MS
        const days = daysLate(turnaround, later)
        expect(days === 0).toBe(later < turnaround.lateAt)
        expect(daysLate(turnaround, later + 24 * HOUR_MS) - days).toBe(later + 24 * HOUR_MS < turnaround.lateAt ? 0 : 1)
      }),
    )
  })
})
