import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { paise } from '#kernel'
import { Backgrounds, featuresOf, MOST_ACTIVITIES, type Activity, type Transaction } from '#fraud'

const NOW = Date.UTC(2026, 10, 1)
const empty = { customers: new Map(), byCustomer: new Map(), byDevice: new Map(), byAddress: new Map(), known: new Set<string>() }

const transactions = fc.array(
  fc.record({
    customerId: fc.constantFrom('c-1', 'c-2'),
    deviceHash: fc.constantFrom('d-1', 'd-2'),
    addressHash: fc.constantFrom('a-1', 'a-2'),
    method: fc.constant('card'),
    amount: fc.constant(paise(100)),
    at: fc.integer({ min: NOW - 3_600_000, max: NOW }),
  }),
  { maxLength: MOST_ACTIVITIES },
)

describe('the background of a batch', () => {
  it('shows a transaction those before it in the batch just as if they had been read', () => {
    fc.assert(
      fc.property(transactions, (batch: readonly Transaction[]) => {
        const together = new Backgrounds(empty)
        batch.forEach((transaction, index) => {
          const before = batch.slice(0, index)
          const by = (key: 'customerId' | 'deviceHash' | 'addressHash') =>
            new Map<string, Activity[]>([[transaction[key] ?? '', before.filter((each) => each[key] === transaction[key])]])
          const alone = new Backgrounds({
            ...empty,
            byCustomer: by('customerId'),
            byDevice: by('deviceHash'),
            byAddress: by('addressHash'),
          })
          const { customerAge_days: _, ...features } = featuresOf(transaction, together.of(transaction))
          expect(featuresOf(transaction, alone.of(transaction))).toMatchObject(features)
          together.count(transaction)
        })
      }),
    )
  })
})
