import { describe, expect, it } from '@jest/globals'
import {
  at,
  available,
  baseUrl,
  call,
  ended,
  getOrder,
  getPayment,
  makeCustomer,
  makeProduct,
  makeWallet,
  newKey,
  placeOrder,
  poll,
  staffToken,
  type Answer,
  type Customer,
} from './shop.js'

/** Most of the time here is that of a window: the orders go side by side, but Jest begins a block when the one before has ended. So all windows are in one. */
const PRICE = 25_000
/** 2,00,000 rupees and more by card, first order: review; 10,00,000: decline. */
const REVIEWED = 20_000_000
const DECLINED = 100_000_000

const money = (payment: Answer) => ({
  authorised: at(payment, 'authorised.amount'),
  captured: at(payment, 'captured.amount'),
  refunded: at(payment, 'refunded.amount'),
})
const reason = (order: Answer) => at(order, 'cancellation.reason')
const cancel = (customer: Customer, placed: Answer) =>
  call('POST', `/v1/orders/${String(placed.body['orderId'])}/cancel`, {
    token: customer.token,
    key: newKey(),
    body: { reason: 'changed my mind' },
  })
const settledStock = (sku: string, expected: number) =>
  poll(
    () => call('GET', `/v1/products/${sku}`),
    (answer) => answer.body['available'] === expected,
  )
/** Of what `funds` put in nothing is spent, and nothing is held. */
const wholeAgain = async (customer: Customer, walletId: string, funds: number): Promise<void> => {
  const wallet = await walletOf(customer, walletId)
  expect([at(wallet, 'balance.amount'), at(wallet, 'held.amount'), at(wallet, 'available.amount')]).toEqual([
    String(funds),
    '0',
    String(funds),
  ])
}
const walletOf = (customer: Customer, walletId: string) => call('GET', `/v1/wallets/${walletId}`, { token: customer.token })

describe('an order is confirmed and captured', () => {
  it.concurrent('by wallet: the hold becomes a capture', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const walletId = await makeWallet(customer, 100_000)
    const placed = await placeOrder(customer, sku, { method: 'wallet', walletId }, 2)
    expect(placed.status).toBe(201)
    expect(placed.body['status']).toBe('PLACED')
    const { payment } = await ended(customer, placed, 'CONFIRMED', 'COMPLETED')
    expect(money(payment)).toMatchObject({ captured: '50000', refunded: '0' })
    const wallet = await walletOf(customer, walletId)
    expect([at(wallet, 'balance.amount'), at(wallet, 'held.amount'), at(wallet, 'available.amount')]).toEqual(['50000', '0', '50000'])
    await settledStock(sku, 8)
  })

  it.concurrent.each([
    ['upi', { method: 'upi', vpa: 'success@upi' }],
    ['upi, approved late but in time', { method: 'upi', vpa: 'slow@upi' }],
    ['upi, answer lost', { method: 'upi', vpa: 'lost@upi' }],
    ['card', { method: 'card', token: 'tok_success' }],
    ['card, answer lost', { method: 'card', token: 'tok_lost' }],
    ['net banking', { method: 'netbanking', bankCode: 'SBOX_SUCCESS' }],
    ['a lender, later', { method: 'netbanking', bankCode: 'SBOX_SUCCESS', plan: 'LAZYPAY' }],
    ['instalments', { method: 'card', token: 'tok_success', plan: 'EMI_6' }, 500_000],
  ])('by %s', async (_, instrument, price = PRICE) => {
    const [sku, customer] = await Promise.all([makeProduct({ price, stock: 10 }), makeCustomer()])
    const { payment } = await ended(customer, await placeOrder(customer, sku, instrument), 'CONFIRMED', 'COMPLETED')
    expect(money(payment)).toMatchObject({ captured: String(price), refunded: '0' })
    await settledStock(sku, 9)
  })

  it.concurrent('by cash on delivery: nothing is captured yet', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const { payment } = await ended(customer, await placeOrder(customer, sku, { method: 'cod' }), 'CONFIRMED', 'COMPLETED')
    expect(money(payment)).toMatchObject({ captured: '0', refunded: '0' })
    await settledStock(sku, 9)
  })
})

describe('an order is wholly undone', () => {
  it.concurrent('when out of stock', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 1 }), makeCustomer()])
    const { order, payment } = await ended(
      customer,
      await placeOrder(customer, sku, { method: 'upi', vpa: 'success@upi' }, 2),
      'CANCELLED',
      'COMPENSATED',
    )
    expect(reason(order)).toBe('out-of-stock')
    expect(money(payment)).toEqual({ authorised: '0', captured: '0', refunded: '0' })
    await settledStock(sku, 1)
  })

  it.concurrent.each([
    ['upi declined', { method: 'upi', vpa: 'decline@upi' }, 'payment-declined'],
    ['card declined', { method: 'card', token: 'tok_decline' }, 'payment-declined'],
    ['net banking declined', { method: 'netbanking', bankCode: 'SBOX_DECLINE' }, 'payment-declined'],
    ['upi without an answer', { method: 'upi', vpa: 'timeout@upi' }, 'payment-expired'],
    ['card without an answer', { method: 'card', token: 'tok_timeout' }, 'payment-expired'],
    ['a wallet that is not there', { method: 'wallet', walletId: '0190a000-0000-7000-8000-00000000dead' }, 'payment-declined'],
  ])('when %s', async (_, instrument, expected) => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const { order, payment } = await ended(customer, await placeOrder(customer, sku, instrument), 'CANCELLED', 'COMPENSATED')
    expect(reason(order)).toBe(expected)
    expect(money(payment)).toMatchObject({ captured: '0', refunded: '0' })
    await settledStock(sku, 10)
  })

  it.concurrent("when the wallet is short, or somebody else's", async () => {
    const [sku, customer, other] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer(), makeCustomer()])
    const [poor, foreign] = await Promise.all([makeWallet(customer, PRICE - 1), makeWallet(other, 10 * PRICE)])
    for (const walletId of [poor, foreign]) {
      const { order } = await ended(customer, await placeOrder(customer, sku, { method: 'wallet', walletId }), 'CANCELLED', 'COMPENSATED')
      expect(reason(order)).toBe('payment-declined')
    }
    expect(at(await walletOf(other, foreign), 'available.amount')).toBe(String(10 * PRICE))
    expect(at(await walletOf(customer, poor), 'held.amount')).toBe('0')
    await settledStock(sku, 10)
  })

  it.concurrent('when the payer who goes on elsewhere does not come back', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const placed = await placeOrder(customer, sku, { method: 'netbanking', bankCode: 'SBOX_REDIRECT' })
    const { order } = await ended(customer, placed, 'CANCELLED', 'COMPENSATED')
    expect(['payment-expired', 'payment-declined']).toContain(reason(order))
    await settledStock(sku, 10)
  })

  it.concurrent('when nobody reviews it in time', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: REVIEWED, stock: 5 }), makeCustomer()])
    const placed = await placeOrder(customer, sku, { method: 'card', token: 'tok_success' })
    const { order } = await ended(customer, placed, 'CANCELLED', 'COMPENSATED')
    expect(reason(order)).toBe('fraud-declined')
    await settledStock(sku, 5)
  })

  it.concurrent('when the payment comes after the window: what was taken goes back', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const placed = await placeOrder(customer, sku, { method: 'upi', vpa: 'late@upi' })
    const { order } = await ended(customer, placed, 'CANCELLED', 'COMPENSATED')
    expect(reason(order)).toBe('payment-expired')
    await poll(
      () => getPayment(customer, String(placed.body['orderId'])),
      (payment) => at(payment, 'refunded.amount') === String(PRICE),
    )
    await settledStock(sku, 10)
  })

  it.concurrent.each([
    ['by wallet', async (customer: Customer) => ({ method: 'wallet', walletId: await makeWallet(customer, 100_000) })],
    ['by upi', async () => ({ method: 'upi', vpa: 'slow@upi' })],
    ['by card', async () => ({ method: 'card', token: 'tok_success' })],
    ['by cash on delivery', async () => ({ method: 'cod' })],
  ])('when the customer cancels at once, paying %s', async (_, instrument) => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const payBy = await instrument(customer)
    const placed = await placeOrder(customer, sku, payBy)
    const cancelled = await cancel(customer, placed)
    expect([cancelled.status, cancelled.body['status']]).toEqual([200, 'CANCELLED'])
    const orderId = String(placed.body['orderId'])
    await poll(
      () => getPayment(customer, orderId),
      (payment) =>
        ['COMPENSATED', 'COMPLETED'].includes(String(payment.body['status'])) && money(payment).captured === money(payment).refunded,
    )
    expect(
      reason(
        await poll(
          () => getOrder(customer, orderId),
          (order) => order.body['status'] === 'CANCELLED',
        ),
      ),
    ).toBe('customer')
    await settledStock(sku, 10)
    if ('walletId' in payBy) await wholeAgain(customer, String(payBy.walletId), 100_000)
  })

  it.concurrent.each([
    ['by wallet', async (customer: Customer) => ({ method: 'wallet', walletId: await makeWallet(customer, 100_000) })],
    ['by upi', async () => ({ method: 'upi', vpa: 'success@upi' })],
    ['by card', async () => ({ method: 'card', token: 'tok_success' })],
    ['by cash on delivery', async () => ({ method: 'cod' })],
  ])('when the customer cancels after confirmation, having paid %s', async (how, instrument) => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const payBy = await instrument(customer)
    const placed = await placeOrder(customer, sku, payBy)
    await ended(customer, placed, 'CONFIRMED', 'COMPLETED')
    expect((await cancel(customer, placed)).status).toBe(200)
    const orderId = String(placed.body['orderId'])
    const back = how === 'by cash on delivery' ? '0' : String(PRICE)
    await poll(
      () => getPayment(customer, orderId),
      (payment) => at(payment, 'refunded.amount') === back,
    )
    await settledStock(sku, 10)
    if ('walletId' in payBy)
      await poll(
        () => walletOf(customer, String(payBy.walletId)),
        (wallet) => at(wallet, 'available.amount') === '100000',
      )
  })
})

describe('a payer goes on elsewhere', () => {
  /** Where `GET /v1/orders/{id}/payment` sends the customer. */
  const nextOf = async (customer: Customer, placed: Answer): Promise<{ kind?: string; url: string }> => {
    const payment = await poll(
      () => getPayment(customer, String(placed.body['orderId'])),
      (answer) => at(answer, 'next.url') !== undefined,
    )
    return { kind: String(at(payment, 'next.kind')), url: String(at(payment, 'next.url')) }
  }
  /** What stands in for the app: the sandbox's page of the payment that the link names. */
  const appOf = (link: string): string => {
    const sandbox = process.env['BAHI_E2E_SANDBOX_URL'] ?? `${baseUrl()}/provider-sandbox`
    return `${sandbox}/pay/${new URL(link).searchParams.get('tr') ?? ''}`
  }
  const press = (page: string, decision: 'pay' | 'decline') =>
    fetch(page, { method: 'POST', body: new URLSearchParams({ decision }), redirect: 'manual' })

  it.concurrent.each([
    ['pays', 'pay', 'CONFIRMED', 'COMPLETED', { captured: String(PRICE), refunded: '0' }],
    ['declines', 'decline', 'CANCELLED', 'COMPENSATED', { captured: '0', refunded: '0' }],
  ] as const)('to the bank’s page, and %s there', async (_, decision, status, sagaStatus, amounts) => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const placed = await placeOrder(customer, sku, { method: 'netbanking', bankCode: 'SBOX_REDIRECT' })
    const next = await nextOf(customer, placed)
    expect(next.kind).toBe('redirect')
    expect(await (await fetch(next.url)).text()).toContain('Sandbox bank')
    const pressed = await press(next.url, decision)
    const back = String(pressed.headers.get('location'))
    expect([pressed.status, back.includes('/v1/payments/')]).toEqual([303, true])
    expect((await fetch(back, { redirect: 'manual' })).status).toBe(200)
    const { payment, order } = await ended(customer, placed, status, sagaStatus)
    expect(money(payment)).toMatchObject(amounts)
    expect(at(payment, 'next.url')).toBeUndefined()
    expect(reason(order)).toBe(decision === 'pay' ? undefined : 'payment-declined')
  })

  it.concurrent('to their UPI app, which pays; a split waits for its other part', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const walletId = await makeWallet(customer, 100_000)
    const upi = { method: 'upi', vpa: 'intent@upi', flow: 'intent' }
    const split = { method: 'split', walletId, amount: { amount: '10000', currency: 'INR' }, other: upi }
    for (const payment of [upi, split]) {
      const placed = await placeOrder(customer, sku, payment)
      const next = await nextOf(customer, placed)
      expect([next.kind, next.url.startsWith('upi://pay?')]).toEqual(['intent', true])
      await press(appOf(next.url), 'pay')
      const { payment: paid } = await ended(customer, placed, 'CONFIRMED', 'COMPLETED')
      expect(money(paid)).toMatchObject({ captured: String(PRICE), refunded: '0' })
    }
  })

  it.concurrent('to their UPI app, and cancels before it pays: the wallet’s part, which was held, is free again', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: PRICE, stock: 10 }), makeCustomer()])
    const walletId = await makeWallet(customer, 100_000)
    const upi = { method: 'upi', vpa: 'intent@upi', flow: 'intent' }
    const placed = await placeOrder(customer, sku, { method: 'split', walletId, amount: { amount: '10000', currency: 'INR' }, other: upi })
    const { url } = await nextOf(customer, placed)
    expect(at(await walletOf(customer, walletId), 'held.amount')).toBe('10000')
    expect((await cancel(customer, placed)).body['status']).toBe('CANCELLED')
    await press(appOf(url), 'pay')
    const { payment, order } = await ended(customer, placed, 'CANCELLED', 'COMPENSATED')
    expect([reason(order), money(payment).captured === money(payment).refunded]).toEqual(['customer', true])
    await wholeAgain(customer, walletId, 100_000)
    await settledStock(sku, 10)
  })
})

describe('fraud', () => {
  const alertOf = async (orderId: string): Promise<string> => {
    const risk = await staffToken('risk')
    const list = await poll(
      () => call('GET', '/v1/fraud/alerts?status=open&limit=100', { token: risk }),
      (answer) =>
        (answer.body['items'] as unknown as { orderId: string }[] | undefined)?.some((alert) => alert.orderId === orderId) ?? false,
    )
    return (
      (list.body['items'] as unknown as { orderId: string; alertId: string }[]).find((alert) => alert.orderId === orderId)?.alertId ?? ''
    )
  }

  it.concurrent.each([
    ['approve', 'CONFIRMED', 'COMPLETED', undefined],
    ['decline', 'CANCELLED', 'COMPENSATED', 'fraud-declined'],
  ])('a person reviews: %s', async (decision, status, sagaStatus, expected) => {
    const [sku, customer] = await Promise.all([makeProduct({ price: REVIEWED, stock: 5 }), makeCustomer()])
    const placed = await placeOrder(customer, sku, { method: 'card', token: 'tok_success' })
    const orderId = String(placed.body['orderId'])
    await poll(
      () => getOrder(customer, orderId),
      (order) => order.body['status'] === 'UNDER_REVIEW',
    )
    const decided = await call('POST', `/v1/fraud/alerts/${await alertOf(orderId)}/decision`, {
      token: await staffToken('risk'),
      key: newKey(),
      body: { decision, note: 'called the customer' },
    })
    expect(decided.status).toBe(200)
    const { order } = await ended(customer, placed, status, sagaStatus)
    expect(reason(order)).toBe(expected)
    await settledStock(sku, status === 'CONFIRMED' ? 4 : 5)
  })

  // A wallet's order alone is reviewed for no amount that fits a wallet, hence its part in a split.
  it.concurrent.each([
    ['card', async () => ({ method: 'card', token: 'tok_success' })],
    [
      'wallet and card',
      async (customer: Customer) => ({
        method: 'split',
        walletId: await makeWallet(customer, 100_000),
        amount: { amount: '10000', currency: 'INR' },
        other: { method: 'card', token: 'tok_success' },
      }),
    ],
  ])('the customer cancels while it is reviewed, paying by %s', async (_, instrument) => {
    const [sku, customer] = await Promise.all([makeProduct({ price: REVIEWED, stock: 5 }), makeCustomer()])
    const payBy = await instrument(customer)
    const placed = await placeOrder(customer, sku, payBy)
    await poll(
      () => getOrder(customer, String(placed.body['orderId'])),
      (order) => order.body['status'] === 'UNDER_REVIEW',
    )
    expect((await cancel(customer, placed)).body['status']).toBe('CANCELLED')
    const { payment, order } = await ended(customer, placed, 'CANCELLED', 'COMPENSATED')
    expect([reason(order), money(payment).captured]).toEqual(['customer', '0'])
    if ('walletId' in payBy) await wholeAgain(customer, payBy.walletId, 100_000)
    await settledStock(sku, 5)
  })

  it.concurrent('an outrageous order is declined by the scorecard', async () => {
    const [sku, customer] = await Promise.all([makeProduct({ price: DECLINED, stock: 5 }), makeCustomer()])
    const { order } = await ended(
      customer,
      await placeOrder(customer, sku, { method: 'card', token: 'tok_success' }),
      'CANCELLED',
      'COMPENSATED',
    )
    expect(reason(order)).toBe('fraud-declined')
    await settledStock(sku, 5)
    expect(await available(sku)).toBe(5)
  })
})
