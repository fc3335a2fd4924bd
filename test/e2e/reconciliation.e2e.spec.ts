import { expect, it } from '@jest/globals'
import { at, call, ended, makeCustomer, makeProduct, newKey, placeOrder, poll, staffToken } from './shop.js'

it('the sandbox’s file of today agrees with what was paid and given back, lost answers too', async () => {
  const [sku, customer, support, merchant] = await Promise.all([
    makeProduct({ price: 25_000 }),
    makeCustomer(),
    staffToken('support'),
    staffToken('merchant'),
  ])
  const instruments = [
    { method: 'upi', vpa: 'success@upi' },
    { method: 'card', token: 'tok_lost' },
    { method: 'netbanking', bankCode: 'SBOX_SUCCESS' },
  ]
  const pay = (): Promise<readonly string[]> =>
    Promise.all(
      instruments.map(async (instrument) => {
        const { order, payment } = await ended(customer, await placeOrder(customer, sku, instrument), 'CONFIRMED', 'COMPLETED')
        const refund = { token: merchant, key: newKey(), body: { reason: 'e2e', amount: { amount: '700', currency: 'INR' } } }
        await call('POST', `/v1/payments/${at(payment, 'paymentId')}/refunds`, refund)
        const orderId = String(order.body['orderId'])
        await poll(
          () => call('GET', `/v1/orders/${orderId}/payment`, { token: customer.token }),
          (answer) => at(answer, 'refunded.amount') === '700',
        )
        return at(payment, 'paymentId') ?? orderId
      }),
    )
  const today = (): string => new Date(Date.now() + 5.5 * 3_600_000).toISOString().slice(0, 10)
  let [day, paymentIds] = [today(), await pay()]
  // At midnight in India one file ends: all are to be in one.
  if (today() !== day) [day, paymentIds] = [today(), await pay()]
  const path = `/v1/settlements/${day}/reconciliation`
  // Other specs pay at the same time: only these payments are looked at. Each is in the file; where payment-saga has not booked what its own sagas
  // told yet, it agrees a moment later.
  const differing = async () => {
    const asked = await call('POST', path, { token: support, key: newKey(), body: { reason: 'e2e' } })
    expect(asked.status).toBe(202)
    const report = await poll(
      () => call('GET', path, { token: support }),
      ({ body }) => String(body['status']) === 'DONE',
    )
    expect(Number(at(report, 'lines'))).toBeGreaterThanOrEqual(2 * paymentIds.length)
    return call('GET', '/v1/reconciliation-cases?status=OPEN&limit=100', { token: support })
  }
  await poll(differing, ({ text }) => !paymentIds.some((id) => text.includes(id)))
})
