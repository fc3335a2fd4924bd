import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isRefusal, paise } from '#kernel'
import { chance, delayOf_ms, outcomeOf } from './outcome.js'
import { opened, operate, paid, type Operation, type Payment } from './payment.js'

const blank = (method: Payment['method'], amount: number): Payment => ({
  paymentId: 'p-1',
  idempotencyKey: 'k-1',
  orderId: 'o-1',
  method,
  amount: paise(amount),
  status: 'pending',
  captured: paise(0),
  refunded: paise(0),
})

describe('a payment of the sandbox', () => {
  it('keeps 0 <= refunded <= captured <= amount whatever is asked of it, and tells each change and no other', () => {
    const operation = fc.record({
      operation: fc.constantFrom<Operation>('capture', 'void', 'refund'),
      amount: fc.option(fc.integer({ min: 0, max: 150 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(
        fc.constantFrom('upi', 'card', 'netbanking'),
        fc.integer({ min: 1, max: 100 }),
        fc.array(operation),
        (method, amount, asked) => {
          let payment = paid(blank(method, amount), 0).payment
          let moved = payment.captured
          for (const each of asked) {
            const change = operate(payment, each.operation, each.amount === undefined ? undefined : paise(each.amount))
            if (isRefusal(change)) {
              expect(change.kind).toBe('conflict')
              continue
            }
            expect(change.payment).not.toEqual(payment)
            if (change.event?.type === 'payment.captured') moved = paise(moved + change.event.amount)
            if (change.event?.type === 'payment.refunded') moved = paise(moved - change.event.amount)
            payment = change.payment
            expect(payment.refunded).toBeGreaterThanOrEqual(0n)
            expect(payment.refunded).toBeLessThanOrEqual(payment.captured)
            expect(payment.captured).toBeLessThanOrEqual(payment.amount)
            expect(moved).toBe(payment.captured - payment.refunded)
            if (payment.status === 'voided') expect(payment.captured).toBe(0n)
          }
        },
      ),
    )
  })

  it('declines what it does not know', () => {
    expect(opened(blank('upi', 100), outcomeOf('upi', 'tok_success'), { now: 0, dueAt: 0 }).payment).toMatchObject({
      status: 'declined',
      captured: 0n,
    })
    expect(outcomeOf('card', 'toString')).toBeUndefined()
  })

  it('has the same luck in every run', () => {
    expect(chance(1, 'k', 'delay')).toBe(chance(1, 'k', 'delay'))
    const drawn = Array.from({ length: 2_000 }, (_, at) => chance(1, `k-${at}`, 'twice'))
    expect(drawn.every((each) => each >= 0 && each < 1)).toBe(true)
    const share = drawn.filter((each) => each < 0.1).length / drawn.length
    expect(share).toBeGreaterThan(0.07)
    expect(share).toBeLessThan(0.13)
  })

  it('pays slow ones in 2 to 5 seconds, and late ones after the window', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (luck) => {
        expect(delayOf_ms('slow', luck, 15)).toBeGreaterThanOrEqual(2_000)
        expect(delayOf_ms('slow', luck, 15)).toBeLessThan(5_000)
        expect(delayOf_ms('late', luck, 15)).toBeGreaterThan(15_000)
        expect(delayOf_ms('late', luck, 15)).toBeLessThan(21_000)
      }),
    )
  })
})
