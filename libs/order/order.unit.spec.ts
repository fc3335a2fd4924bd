import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { fold, isRefusal, type Refusal } from '#kernel'
import { type Order, order, ORDER_STATUSES, type OrderCommand, type OrderContent, type OrderEvent, type OrderStatus } from './index.js'

const content: OrderContent = {
  customerId: 'c-1',
  items: [
    {
      sku: 'BOAT-141',
      title: 'boAt Airdopes 141',
      category: 'audio',
      quantity: 2,
      unitPrice: '149900',
      gstRate: 18,
      lineTotal: '299800',
      gst: { cgst: '22866', sgst: '22866', igst: '0' },
    },
  ],
  totals: { subtotal: '299800', gst: { cgst: '22866', sgst: '22866', igst: '0' }, shipping: '0', grandTotal: '299800' },
  shippingAddress: { subject: 'c-1', nonce: 'n', ciphertext: 'c' },
  addressHash: 'h',
  payment: { method: 'cod' },
}
const at = '2026-11-01T10:00:00.000Z'
const later = '2026-11-01T10:00:05.000Z'
const moved = { customerId: 'c-1', at }
const sealed = { subject: 'c-1', nonce: 'n', ciphertext: 'changed my mind' }

const placed: OrderEvent = { type: 'OrderPlaced', data: { ...content, placedAt: at } }
const reviewStarted: OrderEvent = { type: 'OrderReviewStarted', data: moved }
const confirmed: OrderEvent = { type: 'OrderConfirmed', data: moved }
const cancelled: OrderEvent = {
  type: 'OrderCancelled',
  data: { ...moved, reason: 'out-of-stock', wasConfirmed: false, items: [{ sku: 'BOAT-141', quantity: 2 }] },
}

const when = (given: OrderEvent[], command: OrderCommand) => order.decide(command, fold(order, given))
const accepted = <T>(decided: T | Refusal): T => {
  if (isRefusal(decided)) throw new Error(decided.slug)
  return decided
}
const inStatus = (status: OrderStatus): Order => ({ ...content, status, placedAt: at, updatedAt: at })

describe('an order', () => {
  it('is placed once', () => {
    expect(when([], { type: 'place', content, at })).toEqual([placed])
    expect(when([placed], { type: 'place', content, at })).toMatchObject({ slug: 'invalid-transition' })
  })

  it('is placed, reviewed, confirmed', () => {
    expect(when([placed], { type: 'startReview', at: later })).toEqual([{ type: 'OrderReviewStarted', data: { ...moved, at: later } }])
    expect(when([placed, reviewStarted], { type: 'confirm', at: later })).toEqual([
      { type: 'OrderConfirmed', data: { ...moved, at: later } },
    ])
    expect(fold(order, [placed, reviewStarted])).toMatchObject({ status: 'UNDER_REVIEW' })
    expect(fold(order, [placed, confirmed])).toMatchObject({ status: 'CONFIRMED', placedAt: at })
  })

  it('that is confirmed already is not confirmed again, and that is no refusal', () => {
    expect(when([placed, confirmed], { type: 'confirm', at: later })).toEqual([])
    expect(when([placed, reviewStarted], { type: 'startReview', at: later })).toEqual([])
  })

  it('cancelled by its customer before confirmation says that nothing was confirmed', () => {
    expect(when([placed], { type: 'cancel', reason: 'customer', note: sealed, at: later })).toEqual([
      {
        type: 'OrderCancelled',
        data: {
          customerId: 'c-1',
          at: later,
          reason: 'customer',
          note: sealed,
          wasConfirmed: false,
          items: [{ sku: 'BOAT-141', quantity: 2 }],
        },
      },
    ])
  })

  it('cancelled after confirmation says so', () => {
    expect(when([placed, confirmed], { type: 'cancel', reason: 'merchant', at: later })).toMatchObject([{ data: { wasConfirmed: true } }])
  })

  it('that was cancelled is refused its confirm, and a second cancellation by a person', () => {
    expect(when([placed, cancelled], { type: 'confirm', at: later })).toMatchObject({ kind: 'conflict', slug: 'invalid-transition' })
    expect(when([placed, cancelled], { type: 'startReview', at: later })).toMatchObject({ slug: 'invalid-transition' })
    expect(when([placed, cancelled], { type: 'cancel', reason: 'customer', at: later })).toMatchObject({
      kind: 'conflict',
      slug: 'invalid-transition',
    })
  })

  it('that was cancelled stays as it is when the saga gives up, with no refusal', () => {
    expect(when([placed, cancelled], { type: 'giveUp', reason: 'payment-declined', at: later })).toEqual([])
  })

  it('that is confirmed is not given up by the saga', () => {
    expect(when([placed, confirmed], { type: 'giveUp', reason: 'payment-expired', at: later })).toMatchObject({
      slug: 'invalid-transition',
    })
  })

  it('can be cancelled until it is shipped', () => {
    const cancel: OrderCommand = { type: 'cancel', reason: 'customer', at: later }
    for (const status of ['PLACED', 'UNDER_REVIEW', 'CONFIRMED', 'PACKED'] as const)
      expect(order.decide(cancel, inStatus(status))).toMatchObject([{ type: 'OrderCancelled' }])
    for (const status of ['SHIPPED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'CANCELLED', 'RETURN_REQUESTED', 'RETURNED'] as const)
      expect(order.decide(cancel, inStatus(status))).toMatchObject({ kind: 'conflict', slug: 'invalid-transition' })
  })

  it('that is not there can only be placed', () => {
    for (const type of ['confirm', 'startReview', 'pack', 'sendOut', 'deliver', 'acceptReturn'] as const)
      expect(when([], { type, at })).toMatchObject({ slug: 'unknown-order' })
    expect(when([], { type: 'cancel', reason: 'customer', at })).toMatchObject({ slug: 'unknown-order' })
    expect(when([], { type: 'giveUp', reason: 'out-of-stock', at })).toMatchObject({ slug: 'unknown-order' })
  })
})

describe('an order after payment', () => {
  const goesOn: readonly OrderCommand[] = [
    { type: 'pack', at: later },
    { type: 'ship', carrier: 'Delhivery', trackingNumber: 'DL1', at: later },
    { type: 'sendOut', at: later },
    { type: 'deliver', at: later },
  ]
  const paidBy = (method: 'cod' | 'wallet') => [{ ...placed, data: { ...content, payment: { method }, placedAt: at } }, confirmed]
  const after = (steps: number, given: OrderEvent[] = paidBy('cod')): OrderEvent[] =>
    goesOn.slice(0, steps).reduce((events, command) => [...events, ...accepted(when(events, command))], given)

  it('is packed, shipped, sent out and delivered, each once and in this order', () => {
    expect(fold(order, after(4))).toMatchObject({
      status: 'DELIVERED',
      updatedAt: later,
      shipment: { carrier: 'Delhivery', trackingNumber: 'DL1', shippedAt: later, outForDeliveryAt: later, deliveredAt: later },
    })
    for (let steps = 0; steps <= 4; steps++)
      for (const [turn, command] of goesOn.entries())
        if (turn !== steps) expect(when(after(steps), command)).toMatchObject({ kind: 'conflict', slug: 'invalid-transition' })
  })

  it('is paid at the door with its delivery only by cash', () => {
    expect(after(4).at(-1)).toEqual({ type: 'OrderDelivered', data: { ...moved, at: later, method: 'cod', collected: '299800' } })
    expect(after(4, paidBy('wallet')).at(-1)).toMatchObject({ data: { method: 'wallet', collected: '0' } })
  })

  it('is given back in part, and what is owed for it is told by line with its tax', () => {
    const items = [{ sku: 'BOAT-141', quantity: 1 }]
    const asked = accepted(when(after(4), { type: 'requestReturn', items, reason: sealed, at: later }))
    expect(asked).toEqual([{ type: 'OrderReturnRequested', data: { ...moved, at: later, items, reason: sealed } }])
    const taken = accepted(when([...after(4), ...asked], { type: 'acceptReturn', at: later }))
    const gst = { cgst: '11433', sgst: '11433', igst: '0' }
    expect(taken).toEqual([
      {
        type: 'OrderReturned',
        data: { ...moved, at: later, method: 'cod', items: [{ ...items[0], amount: '149900', gst }], refund: '149900', gst },
      },
    ])
    expect(fold(order, [...after(4), ...asked, ...taken])).toMatchObject({
      status: 'RETURNED',
      return: { items, requestedAt: later, acceptedAt: later, refund: '149900' },
    })
  })

  it('is not given back beyond what was ordered', () => {
    for (const items of [[{ sku: 'BOAT-141', quantity: 3 }], [{ sku: 'OTHER', quantity: 1 }]])
      expect(when(after(4), { type: 'requestReturn', items, reason: sealed, at: later })).toMatchObject({
        kind: 'rule',
        slug: 'return-exceeds-order',
      })
  })
})

describe('an order under random commands', () => {
  const command: fc.Arbitrary<OrderCommand> = fc.oneof(
    fc.constant<OrderCommand>({ type: 'place', content, at }),
    fc.constant<OrderCommand>({ type: 'startReview', at }),
    fc.constant<OrderCommand>({ type: 'confirm', at }),
    fc.constantFrom('customer' as const, 'merchant' as const).map((reason): OrderCommand => ({ type: 'cancel', reason, at })),
    fc.constantFrom('out-of-stock' as const, 'payment-declined' as const).map((reason): OrderCommand => ({ type: 'giveUp', reason, at })),
    fc
      .constantFrom('pack' as const, 'sendOut' as const, 'deliver' as const, 'acceptReturn' as const)
      .map((type): OrderCommand => ({ type, at })),
    fc.constant<OrderCommand>({ type: 'ship', carrier: 'c', trackingNumber: 't', at }),
    fc
      .integer({ min: 1, max: 3 })
      .map((quantity): OrderCommand => ({ type: 'requestReturn', items: [{ sku: 'BOAT-141', quantity }], reason: sealed, at })),
  )
  // Written from rest.md's picture alone, not from the table in the code.
  const next: Record<string, readonly string[]> = {
    none: ['PLACED'],
    PLACED: ['UNDER_REVIEW', 'CONFIRMED', 'CANCELLED'],
    UNDER_REVIEW: ['CONFIRMED', 'CANCELLED'],
    CONFIRMED: ['PACKED', 'CANCELLED'],
    PACKED: ['SHIPPED', 'CANCELLED'],
    SHIPPED: ['OUT_FOR_DELIVERY'],
    OUT_FOR_DELIVERY: ['DELIVERED'],
    DELIVERED: ['RETURN_REQUESTED'],
    RETURN_REQUESTED: ['RETURNED'],
    RETURNED: [],
    CANCELLED: [],
  }

  it('walks only along the arrows, and once cancelled stays so', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        let state: Order = order.initialState
        for (const one of commands) {
          const events = order.decide(one, state)
          if (isRefusal(events)) continue
          expect(events.length).toBeLessThanOrEqual(1)
          const before: string = state?.status ?? 'none'
          const confirmedBefore = before === 'CONFIRMED' || before === 'PACKED'
          for (const event of events) {
            state = order.evolve(state, event)
            if (event.type === 'OrderCancelled') expect(event.data.wasConfirmed).toBe(confirmedBefore)
          }
          if (events.length > 0) expect(next[before]).toContain(state?.status)
          else expect(state?.status ?? 'none').toBe(before)
        }
      }),
    )
  })

  it('from any status, is moved by a command or refused it, and never throws', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ORDER_STATUSES), command, (status, one) => {
        const state: Order = { ...content, status, placedAt: at, updatedAt: at, return: { items: [], reason: sealed, requestedAt: at } }
        const events = order.decide(one, state)
        if (isRefusal(events)) return
        for (const event of events) expect(next[status]).toContain(order.evolve(state, event)?.status)
      }),
    )
  })
})
