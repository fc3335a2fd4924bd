import { isAsked, lucksOf, NOT_ASKED, type Luck } from './books.js'
import { AMOUNT, type World } from './play.js'
import { FAULTS } from './provider-faults.js'

const confirmed = (captured = AMOUNT, back = '0') => ({ saga: 'COMPLETED', order: 'CONFIRMED', captured, refunded: back })
const cancelled = (reason: string, taken = '0') => ({ saga: 'COMPENSATED', order: 'CANCELLED', reason, captured: taken, refunded: taken })
const refunded = (taken = AMOUNT) => ({
  saga: 'COMPLETED',
  order: 'CANCELLED',
  reason: 'customer',
  captured: taken,
  refunded: taken,
  cancellation: 'COMPLETED',
})

/** Each with what it comes to. */
const provided = (['upi', 'card', 'netbanking'] as const).flatMap((method): readonly (readonly [World, object])[] => [
  [{ method }, confirmed()],
  [{ method, webhooks: true }, confirmed()],
  [{ method, luck: 'lost' }, confirmed()],
  [{ method, luck: 'lost', webhooks: true }, confirmed()],
  [{ method, luck: 'decline' }, cancelled('payment-declined')],
  [{ method, luck: 'decline', webhooks: true }, cancelled('payment-declined')],
  [{ method, luck: 'timeout' }, cancelled('payment-expired')],
  [{ method, fraud: 'decline' }, cancelled('fraud-declined')],
  [{ method, fraud: 'review', review: 'approve' }, confirmed()],
  [{ method, cancel: 'CONFIRMED' }, refunded()],
  [{ method, luck: 'timeout', cancel: 5_000 }, cancelled('customer')],
])

/** What is paid by a plan goes the way of what it goes as, and the provider is told the plan. */
const planned = (
  [
    { method: 'card', plan: 'EMI_6' },
    { method: 'netbanking', plan: 'LAZYPAY' },
  ] as const
).flatMap((way): readonly (readonly [World, object])[] => [
  [way, confirmed()],
  [{ ...way, luck: 'lost', webhooks: true }, confirmed()],
  [{ ...way, luck: 'decline' }, cancelled('payment-declined')],
  [{ ...way, luck: 'timeout' }, cancelled('payment-expired')],
  [{ ...way, cancel: 'CONFIRMED' }, refunded()],
  [{ ...way, refunds: 'parts' }, confirmed(AMOUNT, AMOUNT)],
  [{ ...way, returned: true }, confirmed(AMOUNT, '149900')],
])

/** A payer who is asked pays or declines, at their bank's page or in their UPI app, or does not answer. */
const asked = (
  [
    { method: 'netbanking' },
    { method: 'upi', flow: 'intent' },
    { method: 'split', other: 'netbanking' },
  ] as const satisfies readonly World[]
).flatMap((way) =>
  ([{}, { webhooks: true }] as const).flatMap((told): readonly (readonly [World, object])[] => [
    [{ ...way, ...told, luck: 'asked-pays' }, confirmed()],
    [{ ...way, ...told, luck: 'asked-declines' }, cancelled('payment-declined')],
    [{ ...way, ...told, luck: 'asked-silent' }, cancelled('payment-expired')],
  ]),
)

/** A payer has five minutes: paid just inside them it is the order's, just outside it goes back. */
const atTheEnd = ([undefined, true] as const).flatMap((webhooks) =>
  (['collect', 'intent'] as const).flatMap((flow): readonly (readonly [World, object])[] => {
    const world = { method: 'upi', flow, window_ms: 300_000, ...(webhooks ? { webhooks } : {}) } as const
    return [
      [{ ...world, paysAfter_ms: 299_000 }, confirmed()],
      [{ ...world, paysAfter_ms: 301_000 }, cancelled('payment-expired', AMOUNT)],
    ]
  }),
)

export const CASES: readonly (readonly [World, object])[] = [
  [{ method: 'wallet' }, confirmed()],
  [{ method: 'wallet', stock: 'none' }, cancelled('out-of-stock')],
  [{ method: 'wallet', funds: 'none' }, cancelled('payment-declined')],
  [{ method: 'wallet', fraud: 'decline' }, cancelled('fraud-declined')],
  [{ method: 'wallet', fraud: 'review', review: 'approve' }, confirmed()],
  [{ method: 'wallet', fraud: 'review', review: 'decline' }, cancelled('fraud-declined')],
  [{ method: 'wallet', fraud: 'review', cancel: 5_000 }, cancelled('customer')],
  [{ method: 'wallet', cancel: 'CONFIRMED' }, refunded()],
  [{ method: 'cod' }, confirmed('0')],
  [{ method: 'cod', stock: 'none' }, cancelled('out-of-stock')],
  [{ method: 'cod', fraud: 'review', review: 'approve' }, confirmed('0')],
  [{ method: 'cod', cancel: 'CONFIRMED' }, refunded('0')],
  [{ method: 'split' }, cancelled('payment-declined')],
  [{ method: 'split', other: 'card' }, confirmed()],
  [{ method: 'split', other: 'upi' }, confirmed()],
  [{ method: 'split', other: 'netbanking', cancel: 'CONFIRMED' }, refunded()],
  [{ method: 'split', other: 'card', luck: 'decline' }, cancelled('payment-declined')],
  [{ method: 'split', other: 'upi', luck: 'late' }, cancelled('payment-expired', '199800')],
  [{ method: 'split', other: 'upi', refunds: 'parts' }, confirmed(AMOUNT, AMOUNT)],
  [{ method: 'wallet', refunds: 'racing-a-cancellation' }, refunded()],
  [{ method: 'upi', refunds: 'racing-a-cancellation' }, refunded()],
  [{ method: 'wallet', returned: true, refunds: 'racing-a-return' }, confirmed(AMOUNT, AMOUNT)],
  [{ method: 'upi', returned: true, refunds: 'racing-a-return' }, confirmed(AMOUNT, AMOUNT)],
  [{ method: 'split', other: 'card', returned: true, refunds: 'racing-a-return' }, confirmed(AMOUNT, AMOUNT)],
  [{ method: 'split', other: 'upi', refunds: 'racing-a-cancellation' }, refunded()],
  ...planned,
  ...asked,
  ...atTheEnd,
  [{ method: 'cod', returned: true }, confirmed(AMOUNT, '149900')],
  [{ method: 'card', returned: true }, confirmed(AMOUNT, '149900')],
  ...provided,
  [{ method: 'upi', luck: 'slow' }, confirmed()],
  [{ method: 'upi', luck: 'slow', webhooks: true }, confirmed()],
  [{ method: 'upi', luck: 'late' }, cancelled('payment-expired', AMOUNT)],
  [{ method: 'upi', luck: 'late', webhooks: true }, cancelled('payment-expired', AMOUNT)],
  [{ method: 'upi', luck: 'slow', cancel: 1_000 }, cancelled('customer', AMOUNT)],
]

const WAYS: readonly World[] = [
  { method: 'wallet' },
  { method: 'cod' },
  ...(['upi', 'card', 'netbanking'] as const).flatMap((method): readonly World[] => [{ method }, { method: 'split', other: method }]),
]
const AROUND: readonly Partial<World>[] = [
  {},
  { stock: 'none' },
  { fraud: 'decline' },
  { fraud: 'review', review: 'approve' },
  { funds: 'none' },
  { cancel: 'CONFIRMED' },
  { cancel: 1_000 },
  { refunds: 'parts' },
  { refunds: 'racing-a-cancellation' },
  { returned: true },
]

/** An order that nobody paid is not confirmed, and nothing comes after that. */
const NEVER_PAID = new Set<Luck>(['decline', 'timeout', 'asked-declines', 'asked-silent'])
/** A UPI payer is asked by their app. */
const askedIn = ({ method }: World, luck: Luck): Partial<World> => (method === 'upi' && isAsked(luck) ? { flow: 'intent' } : {})

/** Every way to pay x every outcome at the provider x what happens around it. What each must come to is the books' own to say. */
export const matrix = (): readonly World[] =>
  WAYS.flatMap((way) => {
    const { method } = way
    const provided = method !== 'wallet' && method !== 'cod'
    return AROUND.flatMap((around) => {
      // Where nobody looks into a wallet its funds say nothing, and a courier gives nothing back that was not paid.
      if (around.funds && method !== 'wallet' && method !== 'split') return []
      if (around.refunds && method === 'cod') return []
      if (!provided) return [{ ...way, ...around }]
      const unasked = around.stock !== undefined || around.fraud === 'decline'
      const after = around.cancel === 'CONFIRMED' || around.refunds !== undefined || around.returned !== undefined
      const lucks = unasked ? NOT_ASKED.slice(0, 1) : lucksOf(way.other ?? way.method).filter((luck) => !after || !NEVER_PAID.has(luck))
      return lucks.flatMap((luck): World[] => [
        { ...way, ...around, luck, ...askedIn(way, luck) },
        { ...way, ...around, luck, ...askedIn(way, luck), webhooks: true },
      ])
    })
  })

/** What goes wrong at the provider with what comes after a payment was taken: each call x each way to fail x ways to pay. */
export const faults = (): readonly World[] => {
  const uses: readonly (readonly ['capture' | 'void' | 'refund', World])[] = [
    ['capture', { method: 'card' }],
    ['capture', { method: 'split', other: 'card' }],
    // Another amount than was asked for is undone.
    ['void', { method: 'card', takes: '299700' }],
    ['refund', { method: 'upi', takes: '299700' }],
    ['refund', { method: 'upi', cancel: 'CONFIRMED' }],
    ['refund', { method: 'card', cancel: 'CONFIRMED' }],
    ['refund', { method: 'split', other: 'netbanking', cancel: 'CONFIRMED' }],
  ]
  return uses.flatMap(([of, world]) => FAULTS.map((is): World => ({ ...world, fault: { of, is } })))
}
