import { describe, expect, it } from '@jest/globals'
import type { HoldExpiries, HoldExpiry } from '../hold-expiries.js'

/** What every implementation of the port must do. `make` gives an empty one. */
export const holdExpiriesConformance = (name: string, make: () => Promise<HoldExpiries>): void => {
  const timer = (holdId: string, expiresAt_ms: number): HoldExpiry => ({ walletId: 'w', holdId, expiresAt_ms })

  describe(`hold expiries: ${name}`, () => {
    it('gives what is due, earliest first and bounded, until it is removed', async () => {
      const expiries = await make()
      for (const each of [timer('c', 300), timer('a', 100), timer('b', 200)]) await expiries.add(each)
      expect(await expiries.due(99, 10)).toEqual([])
      expect(await expiries.due(200, 10)).toEqual([timer('a', 100), timer('b', 200)])
      expect(await expiries.due(1_000, 1)).toEqual([timer('a', 100)])
      await expiries.remove([timer('a', 100), timer('b', 200), timer('never', 1)])
      expect(await expiries.due(1_000, 10)).toEqual([timer('c', 300)])
      await expiries.remove([])
      expect(await expiries.due(1_000, 10)).toEqual([timer('c', 300)])
    })

    it('keeps a timer that is added twice as it was first', async () => {
      const expiries = await make()
      await expiries.add(timer('a', 100))
      await expiries.add(timer('a', 500))
      expect(await expiries.due(1_000, 10)).toEqual([timer('a', 100)])
    })
  })
}
