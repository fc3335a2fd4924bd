import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { planned, PLANS } from './orders.js'

describe('the plans of a demo', () => {
  it('are as many as orders, and each comes at least once', () => {
    fc.assert(
      fc.property(fc.integer({ min: PLANS.length, max: 5_000 }), (count) => {
        const plans = planned(count)
        expect(plans).toHaveLength(count)
        expect(new Set(plans)).toEqual(new Set(PLANS))
      }),
      { numRuns: 50 },
    )
  })

  it('come in the proportion of their weights', () => {
    const plans = planned(1_000)
    const total = PLANS.reduce((sum, { weight }) => sum + weight, 0)
    for (const plan of PLANS) {
      const wanted = (plan.weight * 1_000) / total
      expect(Math.abs(plans.filter((each) => each === plan).length - wanted)).toBeLessThanOrEqual(2)
    }
  })
})
