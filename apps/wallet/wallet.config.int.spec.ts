import { describe, expect, it } from '@jest/globals'
import { DEFAULT_LIMITS } from '#wallet'
import { limitRows } from './wallet.config.js'

describe('WALLET_LIMITS', () => {
  const row = { kyc: 'small', rule: 'balance', from: '2026-12-01', max: '2000000', source: 'a circular' }
  const read = (value: unknown) => limitRows({ WALLET_LIMITS: typeof value === 'string' ? value : JSON.stringify(value) })

  it('takes the place of the rows in the code', () => {
    expect(limitRows({})).toBe(DEFAULT_LIMITS)
    expect(read([row, { ...row, max: null }])).toEqual([row, { ...row, max: null }])
  })

  it.each([
    ['no JSON', '[{'],
    ['no list', row],
    ['a rule that is not there', [{ ...row, rule: 'luck' }]],
    ['a number for money', [{ ...row, max: 5 }]],
    ['no source', [{ ...row, source: undefined }]],
    ['a field too many', [{ ...row, until: '2027-01-01' }]],
    ['no date', [{ ...row, from: 'tomorrow' }]],
  ])('stops the start for %s, naming the variable', (_, value) => {
    expect(() => read(value)).toThrow(/^WALLET_LIMITS: /)
  })

  it('says of each row in the code where it is written', () => {
    for (const { source, max } of DEFAULT_LIMITS) expect([source.length > 20, /^[0-9]+$/.test(String(max))]).toEqual([true, true])
  })
})
