import { describe, expect, it } from '@jest/globals'
import { GST_RATES } from '#order'
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
    expect(gstRateRows(config)).toBe(GST_RATES)
  })

  it('takes GST rates as rows', () => {
    const rows = [{ effectiveFrom: '2030-01-01', rates: [0, 10], source: 'a notification to come' }]
    expect(gstRateRows(parseConfig(orderCommandConfig, { ...env, GST_RATES: JSON.stringify(rows) }))).toEqual(rows)
  })

  it.each([
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
      shippingFee(config)
    }
    expect(read).toThrow(InvalidConfig)
    expect(read).toThrow(new RegExp(`^${name}: `))
  })

  it('refuses the development issuer in production', () => {
    expect(() => parseConfig(orderCommandConfig, { ...env, DEV_ISSUER: 'true', NODE_ENV: 'production' })).toThrow(/^DEV_ISSUER: /)
  })
})
