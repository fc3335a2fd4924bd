import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { indianDate } from '#payment'
import { eventually } from '#kernel/testing'
import { sagaIdFor } from '#saga'
import { randomUUID } from 'node:crypto'
import { startTestPayments, type Order, type TestPayments } from '../testing/test-payments.js'
import { paymentKey } from '../sagas/provider-part.js'

const AMOUNT = '299800'
const HEADER = 'entry_id,type,payment_id,reference,amount,fee,tax,currency,at'

let payments: TestPayments
beforeAll(async () => {
  payments = await startTestPayments(4)
})
afterAll(() => payments.close())

const support = ['s-1', 'support'] as const
const keyOf = ({ orderId }: Order) => paymentKey(sagaIdFor('order-payment', orderId))
const providerIdOf = (order: Order) => payments.provider.payment(keyOf(order))?.payment?.paymentId ?? 'none'
const paid = async (payment: { method: string; instrument: string }): Promise<Order> => {
  const order = await payments.place(payment)
  await eventually('it is paid', async () => {
    const { body } = await payments.call('GET', `/v1/orders/${order.orderId}/payment`)
    return (body as { status?: string }).status === 'COMPLETED'
  })
  return order
}

describe('a day', () => {
  it('is held against the provider’s file: what agrees, what differs, and a person’s word on it', async () => {
    const today = indianDate(Date.now())
    const path = `/v1/settlements/${today}/reconciliation`
    expect((await payments.call('GET', path, { as: support })).status).toBe(404)
    const [upi, card, wrong] = await Promise.all([
      paid({ method: 'upi', instrument: 'success@upi' }),
      paid({ method: 'card', instrument: 'tok_success' }),
      paid({ method: 'netbanking', instrument: 'SBOX_SUCCESS' }),
    ])
    const { paymentId } = (await payments.call('GET', `/v1/orders/${upi.orderId}/payment`)).body as { paymentId: string }
    const refund = { as: ['m-1', 'merchant'] as const, body: { reason: 'broken', amount: { amount: '800', currency: 'INR' } } }
    await payments.call('POST', `/v1/payments/${paymentId}/refunds`, { ...refund, headers: { 'idempotency-key': randomUUID() } })
    await eventually('it is refunded', () => payments.provider.payment(keyOf(upi))?.payment?.refunded === 800n)
    const line = (kind: string, order: Order, amount: string) =>
      [randomUUID(), kind, providerIdOf(order), keyOf(order), amount, 100, 18, 'INR', new Date().toISOString()].join(',')
    const file = [
      HEADER,
      line('payment', upi, AMOUNT),
      line('refund', upi, '800'),
      line('payment', card, AMOUNT),
      line('payment', wrong, '1'),
    ]
    payments.provider.settlements.set(today, file.join('\n'))

    const ask = (headers: Record<string, string> = {}) =>
      payments.call('POST', path, { as: support, body: { reason: 'to be sure' }, headers })
    expect((await payments.call('POST', path, { as: ['c-1', 'customer'], body: { reason: 'mine' } })).status).toBe(403)
    expect((await payments.call('POST', path, { as: support, body: {} })).status).toBe(400)
    const report = async () => (await payments.call('GET', path, { as: ['a-1', 'auditor'] })).body as Record<string, unknown>
    // Our side hears of its own sagas over the log: asked again until it has.
    await eventually('all but one agree', async () => {
      const asked = await ask({ 'idempotency-key': randomUUID() })
      expect(asked).toMatchObject({ status: 202, body: { date: today, status: 'WAITING' } })
      await eventually('it is done', async () => (await report())['status'] === 'DONE')
      return ((await report())['matched'] as { movements: number }).movements === 3
    })
    expect(await report()).toMatchObject({
      date: today,
      requestedBy: 's-1',
      lines: 4,
      matched: { movements: 3, amount: { amount: '600400', currency: 'INR' } },
      cases: { open: 1 },
      provider: { captured: { amount: '599601' }, refunded: { amount: '800' }, fee: { amount: '400' }, tax: { amount: '72' } },
      books: { commission: { amount: String(3 * 5_996 - 16) } },
    })

    // Where our side had not heard of a saga yet, a case was opened, and has resolved itself since.
    const { resolved } = (await report())['cases'] as { resolved: number }

    const cases = async (query = '') =>
      (
        (await payments.call('GET', `/v1/reconciliation-cases?date=${today}${query}`, { as: support })).body as {
          items: { caseId: string; version: number }[]
        }
      ).items
    const [found, ...others] = await cases('&status=OPEN')
    expect([found, others]).toMatchObject([
      {
        difference: 'different-amount',
        kind: 'capture',
        orderId: wrong.orderId,
        reference: keyOf(wrong),
        theirs: { amount: '1' },
        ours: { amount: AMOUNT },
      },
      [],
    ])
    const resolve = (id: string, headers: Record<string, string> = {}) =>
      payments.call('POST', `/v1/reconciliation-cases/${id}/resolve`, {
        as: support,
        body: { reason: 'a typing error of theirs' },
        headers,
      })
    expect((await resolve(randomUUID())).status).toBe(404)
    const seen = found?.version ?? 0
    expect((await resolve(found?.caseId ?? '', { 'if-match': `"${seen + 1}"` })).status).toBe(412)
    const headers = { 'idempotency-key': randomUUID(), 'if-match': `"${seen}"` }
    const answers = [
      await resolve(found?.caseId ?? '', headers),
      await resolve(found?.caseId ?? '', headers),
      await resolve(found?.caseId ?? ''),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 409])
    expect(answers[0]?.body).toMatchObject({
      status: 'RESOLVED',
      version: seen + 1,
      resolvedBy: 's-1',
      resolution: 'a typing error of theirs',
    })
    expect(answers[1]?.body).toEqual(answers[0]?.body)

    payments.provider.settlements.set(today, `${file.join('\n')}\nnonsense`)
    await ask()
    await eventually('it has failed', async () => (await report())['status'] === 'FAILED')
    expect(await report()).toMatchObject({ failure: { line: 6, field: 'line' }, lines: 4, cases: { open: 0, resolved: resolved + 1 } })
    const metrics = await payments.app.inject({ method: 'GET', url: '/metrics' })
    expect(metrics.payload).toMatch(/^reconciliation_failed_days\{app="payment-saga"\} 1$/m)
    expect(metrics.payload).toMatch(/^reconciliation_cases\{difference="different-amount",app="payment-saga"\} 0$/m)
  })

  it('that the calendar does not have is no day', async () => {
    expect((await payments.call('POST', '/v1/settlements/2026-02-30/reconciliation', { as: support, body: { reason: 'x' } })).status).toBe(
      404,
    )
    // Before the fields are looked at.
    const wrong = [
      await payments.call('POST', '/v1/settlements/2026-02-30/reconciliation', { as: support, body: { nonsense: 1 } }),
      await payments.call('GET', '/v1/settlements/2026-02-30?limit=none', { as: ['m-1', 'merchant'] }),
      await payments.call('GET', '/v1/settlements/soon/reconciliation', { as: support }),
    ]
    expect(wrong.map(({ status }) => status)).toEqual([404, 404, 404])
    expect((await payments.call('GET', '/v1/reconciliation-cases?date=2026-02-30', { as: support })).body).toMatchObject({ items: [] })
    expect((await payments.call('GET', '/v1/reconciliation-cases?date=soon', { as: support })).status).toBe(400)
  })
})
