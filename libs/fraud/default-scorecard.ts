import type { Scorecard, Weight } from './scorecard.js'

const LAKH_PAISE = 1_00_000_00

/** Newness, hour and velocity say little each and are cheap to be wrong about: together they never decide. */
const context = (code: string, feature: Weight['feature'], atLeast: number, points: number, text: string): Weight => ({
  code,
  feature,
  atLeast,
  points,
  group: 'context',
  text,
})
const row = (code: string, feature: Weight['feature'], atLeast: number, points: number, text: string): Weight => ({
  code,
  feature,
  atLeast,
  points,
  text,
})

/**
 * What a new installation starts with. Three things hold by its numbers, and are tested:
 * context (200 at most) and failed payments (140) stay under review (500), so they alone never stop an order below 50,000.00;
 * a first order from 2,00,000.00 on is reviewed and, with all of those (500 + 200 + 140 < 850), not declined for them;
 * from 10,00,000.00 on it is declined.
 */
export const DEFAULT_SCORECARD: Scorecard = {
  version: 'scorecard-1',
  effectiveFrom: 0,
  reviewFrom: 500,
  declineFrom: 850,
  caps: { context: 200 },
  weights: [
    row('large-first-order', 'firstOrderAmount_paise', 0.5 * LAKH_PAISE, 150, 'first order of the customer, of 50,000.00 or more'),
    row('large-first-order', 'firstOrderAmount_paise', 2 * LAKH_PAISE, 500, 'first order of the customer, of 2,00,000.00 or more'),
    row('large-first-order', 'firstOrderAmount_paise', 10 * LAKH_PAISE, 900, 'first order of the customer, of 10,00,000.00 or more'),

    row('amount-above-habit', 'amountToMean', 5, 120, 'at least 5 times what the customer usually spends'),
    row('amount-above-habit', 'amountToMean', 10, 220, 'at least 10 times what the customer usually spends'),
    row('amount-above-habit', 'amountToMean', 30, 350, 'at least 30 times what the customer usually spends'),
    row('amount-above-largest', 'amountToMax', 3, 100, 'at least 3 times the largest order of the customer so far'),

    row('failed-payments', 'failedPaymentsPerDay', 1, 30, 'a payment of the customer failed within a day'),
    row('failed-payments', 'failedPaymentsPerDay', 3, 90, 'three or more payments of the customer failed within a day'),
    row('failed-payments', 'failedPaymentsPerDay', 6, 140, 'six or more payments of the customer failed within a day'),

    context('new-customer', 'newCustomer', 1, 50, 'the customer has no confirmed order yet'),
    context('new-device', 'newDevice', 1, 40, 'no confirmed order of the customer came from this device'),
    context('new-address', 'newAddress', 1, 30, 'no confirmed order of the customer went to this address'),
    context('night', 'night', 1, 30, 'between midnight and 5 in the morning'),
    context('pay-on-delivery', 'onDelivery', 1, 10, 'paid on delivery'),
    context('customer-per-minute', 'customerPerMinute', 2, 40, 'two or more others of the customer within a minute'),
    context('customer-per-10-minutes', 'customerPer10Minutes', 4, 50, 'four or more others of the customer within 10 minutes'),
    context('customer-per-hour', 'customerPerHour', 10, 60, 'ten or more others of the customer within an hour'),
    context('customer-per-day', 'customerPerDay', 25, 60, '25 or more others of the customer within a day'),
    context('device-per-10-minutes', 'devicePer10Minutes', 6, 50, 'six or more others from this device within 10 minutes'),
    context('device-per-day', 'devicePerDay', 30, 60, '30 or more others from this device within a day'),
    context('device-customers', 'customersOnDevice', 4, 80, 'four or more customers on this device within a day'),
    context('address-per-hour', 'addressPerHour', 10, 40, 'ten or more others to this address within an hour'),
    context('address-per-day', 'addressPerDay', 30, 50, '30 or more others to this address within a day'),
  ],
}
