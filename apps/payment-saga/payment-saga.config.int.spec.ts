import { describe, expect, it } from '@jest/globals'
import { systemClock } from '#kernel'
import { InvalidConfig, parseConfig } from '#platform'
import { chosenProvider } from './provider/chosen.js'
import { RazorpayProvider } from './provider/razorpay/provider.js'
import { SandboxProvider } from './provider/sandbox/provider.js'
import { paymentSagaConfig } from './payment-saga.config.js'

const variables = {
  DATABASE_URL: 'postgres://localhost/payment_saga',
  KEYS_DATABASE_URL: 'postgres://localhost/keys',
  JWKS_URL: 'http://localhost/jwks',
  JWT_ISSUER: 'i',
  MASTER_KEY: 'A'.repeat(43),
  FRAUD_HASH_KEY: 'k'.repeat(32),
  REGION: 'in-test',
  PROVIDER_URL: 'http://localhost:1',
  PROVIDER_API_KEY: 'an api key of the tests',
  PROVIDER_WEBHOOK_SECRET: 'a webhook secret of the tests',
}
const RAZORPAY = {
  PROVIDER: 'razorpay',
  PROVIDER_KEY_ID: 'rzp_test_1DP5mmOlF5G5ag',
  PROVIDER_PAYER_EMAIL: 'payments@shop.test',
  PROVIDER_PAYER_CONTACT: '+919876543210',
}
const chosen = (more: Readonly<Record<string, string>> = {}) =>
  chosenProvider(parseConfig(paymentSagaConfig, { ...variables, ...more }), systemClock)

describe('the payment provider', () => {
  it('is the one that the configuration names, and takes its webhooks alone', () => {
    expect([chosen().provider, Object.keys(chosen().signed)]).toEqual([expect.any(SandboxProvider), ['sandbox']])
    expect([chosen(RAZORPAY).provider, Object.keys(chosen(RAZORPAY).signed)]).toEqual([expect.any(RazorpayProvider), ['razorpay']])
  })

  it.each(['PROVIDER_KEY_ID', 'PROVIDER_PAYER_EMAIL', 'PROVIDER_PAYER_CONTACT'] as const)('is not Razorpay without %s', (name) => {
    const { [name]: _left, ...without } = RAZORPAY
    expect(() => chosen(without)).toThrow(new InvalidConfig(`${name}: must be set with PROVIDER=razorpay`))
  })

  it('makes its reports beside its payments: neither waits for the other, nor is spared for its sake', async () => {
    const { files, http } = chosen({ ...RAZORPAY, PROVIDER_CONCURRENCY: '1' })
    const signal = new AbortController().signal
    // Nobody listens there.
    for (let times = 0; times < 60; times++) expect(await files.of('2026-11-20', signal)).toMatchObject({ known: 'unknown' })
    expect(await files.of('2026-11-20', signal)).toEqual({ known: 'unknown', detail: 'not sent: the provider is down' })
    expect([http.breaker.state, http.bulkhead.inside]).toEqual(['closed', 0])
    const held = await http.bulkhead.enter(signal)
    expect(await files.of('2026-11-20', signal)).toEqual({ known: 'unknown', detail: 'not sent: the provider is down' })
    held?.()
  })

  it('is not sent a live key over a connection that anybody can read', () => {
    const live = { ...RAZORPAY, PROVIDER_KEY_ID: 'rzp_live_1DP5mmOlF5G5ag' }
    expect(() => chosen(live)).toThrow(new InvalidConfig('PROVIDER_URL: must be https:// with a live key (PROVIDER_KEY_ID)'))
    expect(chosen({ ...live, PROVIDER_URL: 'https://api.razorpay.com' }).provider).toEqual(expect.any(RazorpayProvider))
  })
})
