import { describe, expect, it } from '@jest/globals'
import { add, paise, type Paise } from '#kernel'
import {
  commissionSplit,
  commissionTermsAt,
  NO_COMMISSION,
  NO_SPLIT,
  splitChange,
  type CommissionRow,
  type CommissionSplit,
} from '#payment'
import fc from 'fast-check'

const terms = fc.record({ basisPoints: fc.integer({ min: 0, max: 3_000 }), gstRate: fc.constantFrom(0, 5, 12, 18, 28, 40) })
const amount = fc.bigInt({ min: 1n, max: 100_000_000_000n }).map(paise)
const parts = ({ merchantPayable, commission, cgst, sgst }: CommissionSplit): Paise => add(merchantPayable, commission, cgst, sgst)

describe('commission on what was captured', () => {
  it('is rounded half up, its GST too, and the halves of the GST add up to the whole', () => {
    // 2% of 12.25 is 24.5 paise, 18% of 25 is 4.5.
    expect(commissionSplit(paise(1_225), paise(0), { basisPoints: 200, gstRate: 18 })).toEqual({
      collected: 1_225n,
      merchantPayable: 1_195n,
      commission: 25n,
      cgst: 2n,
      sgst: 3n,
    })
  })

  it('divides all of it and nothing more, whatever is given back', () => {
    fc.assert(
      fc.property(amount, fc.bigInt({ min: 0n, max: 100n }), terms, (captured, percent, agreed) => {
        const split = commissionSplit(captured, paise((captured * percent) / 100n), agreed)
        expect(parts(split)).toBe(split.collected)
        expect(Object.values(split).every((part) => part >= 0n)).toBe(true)
        expect(split.sgst - split.cgst === 0n || split.sgst - split.cgst === 1n).toBe(true)
      }),
    )
  })

  it('is taken back in proportion: many refunds together take back what one would, and all of it in the end', () => {
    fc.assert(
      fc.property(amount, terms, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }), (captured, agreed, shares) => {
        const upTo = shares.map((share) => paise((captured * BigInt(Math.floor(share * 1_000))) / 1_000n)).sort((a, b) => (a < b ? -1 : 1))
        const states = [paise(0), ...upTo, captured].map((refunded) => commissionSplit(captured, refunded, agreed))
        const changes = states.slice(1).map((after, nth) => splitChange(states[nth] ?? NO_SPLIT, after))
        // Each posting balances, none gives commission anew, and what is left of the last is nothing.
        for (const change of changes) {
          expect(parts(change)).toBe(change.collected)
          expect(change.commission <= 0n).toBe(true)
        }
        expect(states.at(-1)).toEqual(NO_SPLIT)
        const first = states[0] ?? NO_SPLIT
        expect(add(first.commission, ...changes.map(({ commission }) => commission))).toBe(0n)
      }),
    )
  })

  it('refuses amounts that cannot be', () => {
    expect(() => commissionSplit(paise(100), paise(101), NO_COMMISSION)).toThrow(RangeError)
  })
})

describe('the terms of a payment', () => {
  const row = (effectiveFrom: string, basisPoints: number): CommissionRow => ({ effectiveFrom, basisPoints, gstRate: 18, source: 'test' })
  const rows = [row('2026-04-01', 300), row('2025-04-01', 200)]

  it.each([
    ['2025-03-31T18:29:59.999Z', 0],
    ['2025-03-31T18:30:00.000Z', 200],
    ['2026-03-31T18:29:59.999Z', 200],
    ['2026-03-31T18:30:00.000Z', 300],
  ])('at %s are those of the day in India', (at, basisPoints) => {
    expect(commissionTermsAt(Date.parse(at), rows).basisPoints).toBe(basisPoints)
  })
})
