import { describe, expect, it } from '@jest/globals'
import { isRefusal, paise, type Paise } from '#kernel'
import { areConsistent, maskInstrument, nothingPaid, refund, refundable } from '#payment'
import fc from 'fast-check'

const captured = (amount: Paise) => ({ ...nothingPaid(amount), authorised: amount, captured: amount })

describe('refunds', () => {
  it('never exceed what was captured, however many there are', () => {
    const amounts = fc.bigInt({ min: 1n, max: 10n ** 15n })
    fc.assert(
      fc.property(amounts, fc.array(fc.bigInt({ min: -5n, max: 10n ** 15n }), { maxLength: 20 }), (total, wanted) => {
        let state = captured(paise(total))
        for (const want of wanted) {
          const left = refundable(state)
          const after = refund(state, paise(want))
          expect(isRefusal(after)).toBe(want <= 0n || want > left)
          if (!isRefusal(after)) state = after
          expect(areConsistent(state)).toBe(true)
        }
      }),
    )
  })

  it('are of all that is left unless an amount is given, and refused when nothing is', () => {
    const whole = refund(captured(paise(500)))
    expect(whole).toMatchObject({ refunded: 500n })
    expect(isRefusal(whole) || refund(whole)).toMatchObject({ slug: 'nothing-to-refund' })
    expect(refund(captured(paise(500)), paise(501))).toMatchObject({ slug: 'refund-too-large' })
  })
})

describe('a shown instrument', () => {
  it.each([
    ['upi', 'asharao@okbank', 'as***@okbank'],
    ['upi', 'a@okbank', 'a***@okbank'],
    ['upi', 'nonsense', '***'],
    ['card', 'tok_1234567890', '**** 7890'],
    ['card', 'tok_1', '****'],
    ['netbanking', 'SBOX_SUCCESS', 'SBOX_SUCCESS'],
  ] as const)('%s %s is %s', (method, instrument, shown) => {
    expect(maskInstrument(method, instrument)).toBe(shown)
  })
})
