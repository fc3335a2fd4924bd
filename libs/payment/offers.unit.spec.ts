import { describe, expect, it } from '@jest/globals'
import { paise } from '#kernel'
import { COD_ROWS, codRefusal, inForceAt, PAYMENT_PLANS, planAt, planRefusal, type CodRow, type PlanRow } from '#payment'
import fc from 'fast-check'

const NOW = Date.parse('2026-11-28T10:00:00Z')

describe('rows', () => {
  it('hold from midnight in India on, whatever order they stand in', () => {
    const day = fc
      .integer({ min: 0, max: 400 })
      .map((days) => new Date(Date.UTC(2026, 0, 1) + days * 86_400_000).toISOString().slice(0, 10))
    fc.assert(
      fc.property(
        fc.uniqueArray(day, { maxLength: 8 }),
        day,
        fc.constantFrom('T00:00:00+05:30', 'T23:59:59+05:30'),
        (days, today, time) => {
          const rows = days.map((effectiveFrom) => ({ effectiveFrom }))
          const begun = days.filter((each) => each <= today).sort()
          expect(inForceAt(Date.parse(`${today}${time}`), rows)?.effectiveFrom).toBe(begun.at(-1))
        },
      ),
    )
  })
})

describe('cash on delivery', () => {
  const rows: readonly CodRow[] = [
    { effectiveFrom: '2026-01-01', most: paise(500_000), only: ['56', '110001'], except: ['5601'], source: 'test' },
    { effectiveFrom: '2026-12-01', most: paise(100_000), source: 'test' },
  ]
  const refused = (amount: number, pincode: string, at = NOW) => codRefusal({ amount: paise(amount), pincode, at_ms: at }, rows)

  it.each([
    [500_000, '560001', NOW, undefined],
    [500_001, '560001', NOW, 'cash on delivery is offered up to 5,000.00'],
    [100, '110001', NOW, undefined],
    [100, '110002', NOW, 'cash on delivery is not offered at this PIN code'],
    [100, '560100', NOW, 'cash on delivery is not offered at this PIN code'],
    [100, '110002', Date.parse('2026-11-30T18:30:00Z'), undefined],
    [100_001, '560001', Date.parse('2026-11-30T18:30:00Z'), 'cash on delivery is offered up to 1,000.00'],
    [100, '560001', Date.parse('2025-12-31T18:29:59Z'), 'cash on delivery is not offered'],
  ])('of %s paise at %s: %#', (amount, pincode, at, detail) => {
    const refusal = refused(amount, pincode, at)
    expect(refusal?.detail).toBe(detail)
    if (refusal) expect(refusal).toMatchObject({ slug: 'cod-not-offered', kind: 'rule' })
  })

  it('is of less than two lakh, by the law of the land', () => {
    expect(codRefusal({ amount: paise(19_999_999), pincode: '560001', at_ms: NOW })).toBeUndefined()
    expect(codRefusal({ amount: paise(20_000_000), pincode: '560001', at_ms: NOW })).toMatchObject({ slug: 'cod-not-offered' })
    const law = (date: string) => inForceAt(Date.parse(`${date}T00:00:00+05:30`), COD_ROWS)?.source.split(':')[0]
    expect([law('2026-03-31'), law('2026-04-01')]).toEqual([
      'Income-tax Act 1961, s. 269ST (Finance Act 2017)',
      'Income-tax Act 2025, s. 186 (in place of s. 269ST of 1961)',
    ])
  })
})

describe('a plan', () => {
  const row: PlanRow = {
    plan: 'EMI_24',
    kind: 'emi',
    goesAs: 'card',
    effectiveFrom: '2026-01-01',
    least: paise(1_000),
    most: paise(2_000),
    tells: { emi_duration: 24 },
    source: 'test',
  }
  const rows: readonly PlanRow[] = [row, { ...row, effectiveFrom: '2026-12-01', ended: true }]
  const refused = (more: object = {}) => planRefusal({ plan: 'EMI_24', method: 'card', amount: paise(1_500), at_ms: NOW, ...more }, rows)

  it('is offered between its amounts, by its method, while it is in force', () => {
    expect(refused()).toBeUndefined()
    for (const more of [
      { amount: paise(999) },
      { amount: paise(2_001) },
      { method: 'upi' as const },
      { plan: 'EMI_25' },
      { at_ms: Date.parse('2026-12-01T00:00:00+05:30') },
      { at_ms: Date.parse('2025-12-31T00:00:00+05:30') },
    ])
      expect(refused(more)).toMatchObject({ slug: 'plan-not-offered', kind: 'rule' })
  })

  it('of the code is offered from where every bank offers it: American Express asks the most, 5,000 rupees', () => {
    const emi = (amount: number) => planRefusal({ plan: 'EMI_6', method: 'card', amount: paise(amount), at_ms: NOW })
    expect([emi(499_999)?.slug, emi(500_000)]).toEqual(['plan-not-offered', undefined])
  })

  it('of the code goes by a method that there is, and names what the provider is told', () => {
    for (const { plan, least, most, tells } of PAYMENT_PLANS) {
      expect(planAt(plan, NOW)?.tells).toEqual(tells)
      expect(least <= most).toBe(true)
    }
  })
})
