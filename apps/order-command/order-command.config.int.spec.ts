import { describe, expect, it } from '@jest/globals'
import { GST_RATES } from '#order'
import { COD_ROWS, PAYMENT_PLANS } from '#payment'
import { codRowsOf, paymentPlansOf } from '#payment-http'
import { InvalidConfig, parseConfig } from '#platform'
import { gstRateRows, orderCommandConfig, shippingFee } from './order-command.config.js'

const env = {
  DATABASE_URL: 'postgres://u:p@localhost/db',
  JWKS_URL: 'http://localhost/jwks',
  JWT_ISSUER: 'issuer',
  KEYS_DATABASE_URL: 'postgres://localhost/keys',
  MASTER_KEY: 'A'.repeat(43),
  FRAUD_HASH_KEY: 'f'.repeat(32),
  REGION: 'in-test',
}

describe('the configuration of order-command', () => {
  it('has defaults', () => {
    const config = parseConfig(orderCommandConfig, env)
    expect(config).toMatchObject({ SELLER_STATE: 'KA', DATABASE_SCHEMA: 'order_command', DEV_ISSUER: false })
    expect(shippingFee(config)).toBe(0n)
    expect([gstRateRows(config), codRowsOf(config), paymentPlansOf(config)]).toEqual([GST_RATES, COD_ROWS, PAYMENT_PLANS])
  })

  it('takes GST rates as rows', () => {
    const rows = [{ effectiveFrom: '2030-01-01', rates: [0, 10], source: 'a notification to come' }]
    expect(gstRateRows(parseConfig(orderCommandConfig, { ...env, GST_RATES: JSON.stringify(rows) }))).toEqual(rows)
  })

  it('takes cash on delivery and plans as rows', () => {
    const cod = { effectiveFrom: '2030-01-01', most: '500', only: ['56', '110001'], source: 'test' }
    const plan = {
      plan: 'EMI_24',
      kind: 'emi',
      goesAs: 'card',
      effectiveFrom: '2030-01-01',
      least: '1',
      most: '2',
      tells: { emi_duration: 24 },
    }
    const config = parseConfig(orderCommandConfig, {
      ...env,
      COD_ROWS: JSON.stringify([cod]),
      PAYMENT_PLANS: JSON.stringify([{ ...plan, source: 'test' }]),
    })
    expect(codRowsOf(config)).toEqual([{ ...cod, most: 500n }])
    expect(paymentPlansOf(config)).toEqual([{ ...plan, least: 1n, most: 2n, source: 'test' }])
  })

  it.each([
    ['COD_ROWS', '[{"effectiveFrom":"2030-01-01","most":5,"source":"x"}]'],
    ['COD_ROWS', '[{"effectiveFrom":"2030-01-01","most":"5","only":["056"],"source":"x"}]'],
    ['PAYMENT_PLANS', '[{"plan":"EMI 6"}]'],
    ['SELLER_STATE', 'XX'],
    ['SHIPPING_FEE_PAISE', '-1'],
    ['SHIPPING_FEE_PAISE', '49.5'],
    ['GST_RATES', '{'],
    ['GST_RATES', '[]'],
    ['GST_RATES', '[{"effectiveFrom":"yesterday","rates":[0],"source":"x"}]'],
    ['GST_RATES', '[{"effectiveFrom":"2030-01-01","rates":[0.5],"source":"x"}]'],
  ])('names %s when it is %s', (name, value) => {
    const read = () => {
      const config = parseConfig(orderCommandConfig, { ...env, [name]: value })
      gstRateRows(config)
      codRowsOf(config)
      paymentPlansOf(config)
      shippingFee(config)
    }
    expect(read).toThrow(InvalidConfig)
    expect(read).toThrow(new RegExp(`^${name}: `))
  })

  it('refuses the development issuer in production', () => {
    expect(() => parseConfig(orderCommandConfig, { ...env, DEV_ISSUER: 'true', NODE_ENV: 'production' })).toThrow(/^DEV_ISSUER: /)
  })
})
