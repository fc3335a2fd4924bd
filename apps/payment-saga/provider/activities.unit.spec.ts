import { describe, expect, it } from '@jest/globals'
import { paise, ZERO } from '#kernel'
import type { PaymentProvider, ProviderAnswer, ProviderPayment } from '#payment'
import { paymentActivities } from './activities.js'

const AMOUNT = paise(500)
const payment = (more: Partial<ProviderPayment> = {}): ProviderPayment => ({
  paymentId: 'p-1',
  status: 'captured',
  amount: AMOUNT,
  captured: AMOUNT,
  refunded: ZERO,
  ...more,
})
const answered = (more: Partial<ProviderPayment> = {}): ProviderAnswer => ({ known: 'answered', payment: payment(more) })
const refused: ProviderAnswer = { known: 'refused', slug: 'no', detail: 'refused' }

/** A provider that answers each call as it is told to. */
const run = (activity: string, answers: Partial<Record<keyof PaymentProvider, ProviderAnswer>>) => {
  const answer = (call: keyof PaymentProvider) => async (): Promise<ProviderAnswer> => answers[call] ?? { known: 'absent' }
  const provider: PaymentProvider = {
    authorise: answer('authorise'),
    find: answer('find'),
    capture: answer('capture'),
    void: answer('void'),
    refund: answer('refund'),
  }
  const input = { paymentKey: 'k', providerPaymentId: 'p-1', amount: `${AMOUNT}` }
  const activities = paymentActivities({ provider, sealed: { openAll: async () => [] }, settle_ms: 1 })
  return activities[activity]?.({ sagaId: 's', key: 'k:do', attempt: 1, input, startedAt: 0, now: 10_000 }, new AbortController().signal)
}

describe('a capture that was refused', () => {
  it.each([
    ['was taken already', answered(), 'succeeded'],
    ['is not taken', answered({ status: 'authorised', captured: ZERO }), 'refused'],
    ['has gone back', answered({ status: 'voided', captured: ZERO }), 'refused'],
    ['took another amount', answered({ captured: paise(1) }), 'refused'],
    ['nobody can tell of', { known: 'unknown', detail: 'no answer' }, 'unknown'],
    ['the provider says nothing of', refused, 'unknown'],
    ['is not found', { known: 'absent' }, 'unknown'],
  ] as const)('of a payment that %s: %j is %s', async (_, find, outcome) => {
    expect(await run('capture-payment', { capture: refused, find })).toMatchObject({ outcome })
  })
})

describe('a payment that is to be undone', () => {
  it('is not, while its refund waits, and is asked about when the provider may know', async () => {
    const refund = { known: 'unknown', detail: 'the refund is pending', retryAfter_ms: 5_000 } as const
    expect(await run('cancel-payment', { find: answered(), refund })).toMatchObject({ outcome: 'unknown', retryAfter_ms: 5_000 })
    expect(await run('refund-payment', { refund })).toMatchObject({ outcome: 'unknown', retryAfter_ms: 5_000 })
  })

  it('calls a person where its refund failed, and is looked at again where it has moved on', async () => {
    const failed = { known: 'refused', slug: 'refund-failed', detail: 'refused' } as const
    expect(await run('cancel-payment', { find: answered(), refund: failed })).toMatchObject({ outcome: 'refused', slug: 'refund-failed' })
    expect(await run('cancel-payment', { find: answered(), refund: refused })).toMatchObject({ outcome: 'unknown' })
  })

  it('is undone when nothing of its key is left, and no sooner', async () => {
    expect(await run('cancel-payment', { find: answered({ refunded: AMOUNT }) })).toMatchObject({ outcome: 'succeeded' })
    expect(await run('cancel-payment', { find: answered(), refund: answered({ refunded: AMOUNT }) })).toMatchObject({ outcome: 'unknown' })
  })
})
