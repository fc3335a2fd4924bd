import { describe, expect, it } from '@jest/globals'
import { at, call, inr, makeCustomer, makeWallet, newKey, poll, staffToken, type Answer, type Customer } from './shop.js'

const LOADED = 50_000

const load = (customer: Customer, walletId: string, payment: object, amount = LOADED, key = newKey()): Promise<Answer> =>
  call('POST', `/v1/wallets/${walletId}/loads`, { token: customer.token, key, body: { amount: inr(amount), payment } })
const loadEnded = (customer: Customer, asked: Answer): Promise<Answer> =>
  poll(
    () => call('GET', String(asked.headers.get('location')), { token: customer.token }),
    (answer) => answer.status === 200 && answer.body['status'] !== 'PENDING',
  )
const balance = async (customer: Customer, walletId: string) =>
  at(await call('GET', `/v1/wallets/${walletId}`, { token: customer.token }), 'balance.amount')
/** The saga of the wallet's one load, once it has come to its end. */
const sagaOf = async (loadId: string): Promise<Answer> => {
  const support = await staffToken('support')
  const mine = (answer: Answer) =>
    (answer.body['items'] as unknown as { sagaId: string; correlationKey: string }[]).find(
      ({ correlationKey }) => correlationKey === loadId,
    )
  const list = await poll(
    () => call('GET', '/v1/sagas?type=wallet-load&limit=100', { token: support }),
    (answer) => mine(answer) !== undefined,
  )
  return poll(
    () => call('GET', `/v1/sagas/${mine(list)?.sagaId}`, { token: support }),
    (answer) => ['COMPLETED', 'COMPENSATED'].includes(String(answer.body['status'])),
  )
}

describe('a wallet is loaded', () => {
  it.concurrent.each([
    ['upi', { method: 'upi', vpa: 'success@upi' }],
    ['upi, approved late but in time', { method: 'upi', vpa: 'slow@upi' }],
    ['upi, by intent', { method: 'upi', vpa: 'slow@upi', flow: 'intent' }],
    ['upi, answer lost', { method: 'upi', vpa: 'lost@upi' }],
    ['card', { method: 'card', token: 'tok_success' }],
    ['card, answer lost', { method: 'card', token: 'tok_lost' }],
    ['net banking', { method: 'netbanking', bankCode: 'SBOX_SUCCESS' }],
  ])('by %s', async (_, payment) => {
    const customer = await makeCustomer()
    const walletId = await makeWallet(customer, 0)
    const asked = await load(customer, walletId, payment)
    expect([asked.status, asked.body['status']]).toEqual([202, 'PENDING'])
    const ended = await loadEnded(customer, asked)
    expect([ended.body['status'], await balance(customer, walletId)]).toEqual(['COMPLETED', String(LOADED)])
    expect((await sagaOf(String(asked.body['loadId']))).body['status']).toBe('COMPLETED')
  })

  it.concurrent('once, however often it is asked for under one key', async () => {
    const customer = await makeCustomer()
    const walletId = await makeWallet(customer, 0)
    const key = newKey()
    const payment = { method: 'card', token: 'tok_success' }
    const answers = await Promise.all(Array.from({ length: 5 }, () => load(customer, walletId, payment, LOADED, key)))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    await loadEnded(customer, answers[0]!)
    expect(await balance(customer, walletId)).toBe(String(LOADED))
  })
})

describe('a wallet is not loaded', () => {
  it.concurrent.each([
    ['upi declined', { method: 'upi', vpa: 'decline@upi' }, 'payment-declined'],
    ['card declined', { method: 'card', token: 'tok_decline' }, 'payment-declined'],
    ['net banking declined', { method: 'netbanking', bankCode: 'SBOX_DECLINE' }, 'payment-declined'],
    ['upi without an answer', { method: 'upi', vpa: 'timeout@upi' }, 'payment-expired'],
    ['card without an answer', { method: 'card', token: 'tok_timeout' }, 'payment-expired'],
    ['a payment after the window, which goes back', { method: 'upi', vpa: 'late@upi' }, 'payment-expired'],
  ])('by %s', async (_, payment, reason) => {
    const customer = await makeCustomer()
    const walletId = await makeWallet(customer, 0)
    const asked = await load(customer, walletId, payment)
    const ended = await loadEnded(customer, asked)
    expect([ended.body['status'], ended.body['reason'], await balance(customer, walletId)]).toEqual(['FAILED', reason, '0'])
    const saga = await sagaOf(String(asked.body['loadId']))
    expect(saga.body['status']).toBe('COMPENSATED')
    const undone = (saga.body['steps'] as unknown as { step: string; compensation?: { status: string } }[]).map((step) => [
      step.step,
      step.compensation?.status,
    ])
    expect(undone).toContainEqual(['request-load', 'succeeded'])
  })

  it.concurrent('that was closed meanwhile: what was paid goes back', async () => {
    const customer = await makeCustomer()
    const walletId = await makeWallet(customer, 0)
    const asked = await load(customer, walletId, { method: 'upi', vpa: 'slow@upi' })
    const closed = await call('POST', `/v1/wallets/${walletId}/close`, {
      token: await staffToken('support'),
      key: newKey(),
      body: { reason: 'e2e' },
    })
    expect([asked.status, closed.status]).toEqual([202, 200])
    const ended = await loadEnded(customer, asked)
    expect([ended.body['status'], ended.body['reason'], await balance(customer, walletId)]).toEqual(['FAILED', 'wallet-closed', '0'])
    const saga = await sagaOf(String(asked.body['loadId']))
    expect(saga.body['status']).toBe('COMPENSATED')
  })

  it.concurrent('beyond its limits, and nothing is paid', async () => {
    const customer = await makeCustomer()
    const walletId = await makeWallet(customer, 20_000_000 - LOADED)
    const [first, second] = await Promise.all([0, 1].map(() => load(customer, walletId, { method: 'card', token: 'tok_success' })))
    expect([first?.status, second?.status].sort()).toEqual([202, 422])
    await loadEnded(
      customer,
      [first, second].find((answer) => answer?.status === 202)!,
    )
    expect(await balance(customer, walletId)).toBe('20000000')
  })
})
