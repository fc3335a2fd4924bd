import { describe, expect, it } from '@jest/globals'
import { masked } from './mask.js'

describe('a message of an error', () => {
  it.each([
    ['call +91 98765 43210 back', 'call +# back'],
    ['Aadhaar 1234 5678 9012', 'Aadhaar #'],
    ['card 4111-1111-1111-1111 declined', 'card # declined'],
    ['pan ABCPK1234Q', 'pan <pan>'],
    ['asha.rao@example.in and asha@upi', '<address> and <address>'],
    ['invalid input syntax for type integer: "14 MG Road"', 'invalid input syntax for type integer: "…"'],
  ])('loses what a person is known by: %s', (text, left) => expect(masked(text)).toBe(left))

  it.each([
    'connect ECONNREFUSED 127.0.0.1:5432',
    'relation "orders" does not exist',
    'wallet lost orders.events/3: its offset 123456 was moved by another consumer',
  ])('keeps what an operator needs: %s', (text) => expect(masked(text)).toBe(text))
})
