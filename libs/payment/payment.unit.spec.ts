import { describe, expect, it } from '@jest/globals'
import { isRefusal, paise, ZERO, type Paise } from '#kernel'
import {
  addParts,
  giveBack,
  isCardNumber,
  leftOf,
  maskInstrument,
  NO_PARTS,
  refund,
  refundable,
  sumOf,
  type PaymentAmounts,
} from '#payment'
import fc from 'fast-check'

const captured = (amount: Paise): PaymentAmounts => ({ amount, authorised: amount, captured: amount, refunded: ZERO })

const areConsistent = ({ amount, authorised, captured: taken, refunded }: PaymentAmounts): boolean =>
  ZERO <= refunded && refunded <= taken && taken <= amount && ZERO <= authorised && authorised <= amount

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

describe('giving back', () => {
  const amount = fc.bigInt({ min: 0n, max: 10n ** 15n }).map(paise)
  const parts = fc.record({ wallet: amount, provider: amount, cash: amount })

  it('takes of no part more than is left of it, and as much as was asked for while there is', () => {
    fc.assert(
      fc.property(parts, fc.array(amount, { maxLength: 10 }), (whole, asked) => {
        let given = NO_PARTS
        for (const want of asked) {
          const left = leftOf(whole, given)
          const back = giveBack(left, want)
          expect(sumOf(back)).toBe(want < sumOf(left) ? want : sumOf(left))
          given = addParts(given, back)
          for (const part of ['wallet', 'provider', 'cash'] as const) expect(given[part] <= whole[part]).toBe(true)
        }
      }),
    )
  })

  it('begins with where it came from outside', () => {
    const left = { wallet: paise(100), provider: paise(50), cash: paise(0) }
    expect(giveBack(left, paise(60))).toEqual({ provider: 50n, wallet: 10n, cash: 0n })
  })
})

describe('a shown instrument', () => {
  it.each([
    ['upi', 'asharao@okbank', 'as…@okbank'],
    ['upi', 'ab@okbank', 'a…@okbank'],
    ['upi', 'a@okbank', '…@okbank'],
    ['upi', 'nonsense', '…'],
    ['card', 'tok_1234567890', 'card …90'],
    ['card', 'tok_1', 'card'],
    ['netbanking', 'SBOX_SUCCESS', 'SBOX_SUCCESS'],
  ] as const)('%s %s is %s', (method, instrument, shown) => {
    expect(maskInstrument(method, instrument)).toBe(shown)
  })
})

describe('a card number', () => {
  it.each(['4111111111111111', '4111 1111 1111 1111', '4111-1111-1111-1111', '378282246310005', '6759649826438453'])(
    '%s is one',
    (number) => {
      expect(isCardNumber(number)).toBe(true)
    },
  )

  it.each(['tok_success', 'cust_x/token_y', 'tok_4111111111111111', '41111111111', '4111111111111112', '00000000000000000000', ''])(
    '%s is none',
    (token) => {
      expect(isCardNumber(token)).toBe(false)
    },
  )

  it('has one check digit, and any other digit there makes it none', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{11,18}$/), (digits) => {
        expect(Array.from({ length: 10 }, (_, check) => isCardNumber(`${digits}${check}`)).filter(Boolean)).toHaveLength(1)
      }),
    )
  })
})
