import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { createHmac } from 'node:crypto'
import { eventually } from '#kernel/testing'
import { RazorpayStub } from '../../testing/razorpay-stub.js'
import { startTestPayments, type Order, type TestPayments } from '../../testing/test-payments.js'
import { receiptOf } from './provider.js'
import { paymentKey } from '../../sagas/provider-part.js'
import { sagaIdFor } from '#saga'

const KEY_ID = 'rzp_test_1DP5mmOlF5G5ag'
const SECRET = 'a key secret of the tests'
const WEBHOOK_SECRET = 'a webhook secret of the tests'

const stub = new RazorpayStub(KEY_ID, SECRET, WEBHOOK_SECRET)
let payments: TestPayments
beforeAll(async () => {
  payments = await startTestPayments(10, {
    PROVIDER: 'razorpay',
    PROVIDER_URL: await stub.start(),
    PROVIDER_API_KEY: SECRET,
    PROVIDER_KEY_ID: KEY_ID,
    PROVIDER_PAYER_EMAIL: 'payments@shop.test',
    PROVIDER_PAYER_CONTACT: '+919876543210',
    PROVIDER_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ACTIVITY_TIMEOUT_MS: 4_000,
  })
})
afterAll(async () => {
  await payments.close()
  await stub.close()
})

const statusOf = async ({ orderId }: Order) =>
  ((await payments.call('GET', `/v1/orders/${orderId}/payment`)).body as { readonly status?: string }).status
const ended = async (order: Order, status: string) => {
  await eventually(`${order.orderId} is ${status}`, async () => (await statusOf(order)) === status)
  return [...stub.payments.values()].filter(({ order_id }) => {
    const key = paymentKey(sagaIdFor('order-payment', order.orderId))
    return stub.orders.get(order_id)?.receipt === receiptOf(key)
  })
}
/** As Razorpay sends it: no token, a signature over the body. */
const tell = ({ body, signature }: { readonly body: string; readonly signature: string }, provider = 'razorpay') =>
  payments.app.inject({
    method: 'POST',
    url: `/v1/webhooks/${provider}`,
    headers: { 'content-type': 'application/json', 'x-razorpay-signature': signature },
    payload: body,
  })

it('an order is paid through Razorpay, taken once, or declined', async () => {
  const [upi, card, declined] = await Promise.all([
    payments.place({ method: 'upi', instrument: 'success@razorpay' }),
    payments.place({ method: 'card', instrument: 'cust_1Aa00000000001/token_4lsdksD31GaZ09' }),
    payments.place({ method: 'upi', instrument: 'failure@razorpay' }),
  ])
  for (const order of [upi, card]) {
    expect(await ended(order, 'COMPLETED')).toMatchObject([{ status: 'captured', captured: true, amount: 299_800 }])
    expect(order.books.order).toBe('CONFIRMED')
  }
  expect(await ended(declined, 'COMPENSATED')).toMatchObject([{ status: 'failed', captured: false }])
  expect(declined.books).toMatchObject({ order: 'CANCELLED', reason: 'payment-declined' })
})

it('an event in another currency is thanked for, has no effect, and is counted', async () => {
  const { body = '' } = stub.webhooks.at(-1) ?? {}
  const foreign = body.replaceAll('"INR"', '"USD"')
  const signature = createHmac('sha256', WEBHOOK_SECRET).update(foreign).digest('hex')
  expect([body.includes('"INR"'), (await tell({ body: foreign, signature })).statusCode]).toEqual([true, 200])
  const metrics = await payments.app.inject({ method: 'GET', url: '/metrics' })
  expect(metrics.payload).toMatch(/^provider_webhooks\{state="unread",app="payment-saga"\} 1$/m)
})

it('a payer who went to the bank’s page is known to have paid by webhook, signed over its bytes, of this provider alone', async () => {
  const order = await payments.place({ method: 'netbanking', instrument: 'HDFC' })
  await eventually('it is asked', async () => (await statusOf(order)) === 'WAITING')
  const before = stub.webhooks.length
  stub.payAtBank()
  const [authorised, captured] = stub.webhooks.slice(before)
  if (!authorised || !captured) throw new Error('no webhooks')
  expect((await tell({ ...captured, body: `${captured.body} ` })).statusCode).toBe(401)
  expect((await tell(captured, 'sandbox')).statusCode).toBe(404)
  // Out of order, and one of them twice.
  for (const webhook of [captured, authorised, captured]) expect((await tell(webhook)).statusCode).toBe(200)
  expect(await ended(order, 'COMPLETED')).toMatchObject([{ status: 'captured' }])
})
