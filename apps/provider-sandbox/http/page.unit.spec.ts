import { describe, expect, it } from '@jest/globals'
import { paise } from '#kernel'
import type { Payment } from '../payment.js'
import { pageOf } from './page.js'

const payment = (more: Partial<Payment> = {}): Payment => ({
  paymentId: 'p-1',
  idempotencyKey: 'k-1',
  orderId: '<o-1>',
  method: 'netbanking',
  amount: paise(12_34_567_89),
  status: 'pending',
  captured: paise(0),
  refunded: paise(0),
  asksPayer: true,
  ...more,
})

describe("the bank's page", () => {
  const page = pageOf(payment())

  it('says what is to be paid, and by which button it is or is not', () => {
    expect(page).toContain('<h1 id="heading">Approve this payment?</h1>')
    expect(page).toContain('\u20b912,34,567.89')
    expect([...page.matchAll(/<button [^>]*value="(\w+)">([^<]+)</g)].map(([, value, text]) => [value, text])).toEqual([
      ['pay', 'Pay \u20b912,34,567.89'],
      ['decline', 'Decline, pay nothing'],
    ])
    expect(page).toContain('&#60;o-1&#62;')
    expect(page).not.toContain('<o-1>')
  })

  it('can be read out and fits a phone: a language, a title, one heading that names the form, the width of the device', () => {
    expect(page).toMatch(/<html lang="en">/)
    expect(page).toMatch(/<title>Approve this payment\? · Sandbox bank<\/title>/)
    expect(page.match(/<h1/g)).toHaveLength(1)
    expect(page).toMatch(/<form method="post" aria-labelledby="heading">/)
    expect(page).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">')
    expect(page).toMatch(/min-height: 3rem/)
  })

  it.each([
    [{ status: 'captured' }, 'This payment is made. You may close this page.'],
    [{ status: 'authorised' }, 'You have approved this payment. You may close this page.'],
    [{ status: 'declined', declineReason: 'declined-by-payer' }, 'You declined this payment. Nothing was taken.'],
    [{ status: 'declined', declineReason: 'expired' }, 'The time for this payment is over. Nothing was taken.'],
    [{ status: 'declined', declineReason: 'declined-by-bank' }, 'This payment was declined. Nothing was taken.'],
    [{ status: 'voided' }, 'This payment was given up. Nothing was taken.'],
    [{ asksPayer: false }, 'Nothing is asked of you here: this payment is waited for.'],
  ] as const)('of %j asks nothing and says what became of it', (more, said) => {
    const ended = pageOf(payment(more))
    expect(ended).toContain(`<p role="status">${said}</p>`)
    expect(ended).not.toContain('<button')
  })
})
