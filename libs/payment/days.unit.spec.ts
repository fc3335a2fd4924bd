import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { daysAfter, workingDaysAfter, workingDaysBefore } from './days.js'

describe('working days of banks', () => {
  it.each([
    // A Thursday before a second Saturday, a Friday before a third, a Sunday, the fourth Saturday itself, and over a fifth.
    ['2026-11-12', 3, '2026-11-17'],
    ['2026-11-20', 2, '2026-11-23'],
    ['2026-11-15', 1, '2026-11-16'],
    ['2026-11-28', 2, '2026-12-01'],
    ['2026-10-30', 1, '2026-10-31'],
    ['2026-11-14', 0, '2026-11-14'],
  ])('%s and %i of them is %s', (from, days, to) => {
    expect(workingDaysAfter(from, days)).toBe(to)
  })

  it('are counted back to the last day from which they have passed', () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.nat(6), (offset, days) => {
        const date = daysAfter('2024-01-01', offset)
        const before = workingDaysBefore(date, days)
        expect(workingDaysAfter(before, days) <= date).toBe(true)
        expect(workingDaysAfter(daysAfter(before, 1), days) > date).toBe(true)
      }),
    )
  })
})
