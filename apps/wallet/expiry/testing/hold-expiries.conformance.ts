import { describe, expect, it } from '@jest/globals'
import type { Transactions } from '#kernel'
import type { HoldExpiries, HoldExpiry } from '../hold-expiries.js'

/** What every implementation of the port must do. `make` gives an empty one. */
export const holdExpiriesConformance = (
  name: string,
  make: () => Promise<{ readonly expiries: HoldExpiries; readonly transactions: Transactions }>,
): void => {
  const timer = (holdId: string, expiresAt_ms: number): HoldExpiry => ({ walletId: 'w', holdId, expiresAt_ms })
  const backoff = { first_ms: 100, most_ms: 250 }
  const holding = async (...timers: readonly HoldExpiry[]): Promise<HoldExpiries> => {
    const { expiries, transactions } = await make()
    await transactions.run(async (tx) => {
      for (const each of timers) await expiries.add(each, tx)
    })
    return expiries
  }

  describe(`hold expiries: ${name}`, () => {
    it('gives what is due, longest due first and bounded', async () => {
      const expiries = await holding(timer('c', 300), timer('a', 100), timer('b', 200))
      expect(await expiries.claim(99, 10, backoff)).toEqual([])
      expect(await expiries.claim(200, 10, backoff)).toEqual([timer('a', 100), timer('b', 200)])
      expect(await expiries.claim(1_000, 1, backoff)).toHaveLength(1)
      await expiries.remove([timer('a', 100), timer('b', 200), timer('never', 1)])
      await expiries.remove([])
      expect(await expiries.claim(10_000, 10, backoff)).toEqual([timer('c', 300)])
      await expiries.remove([timer('c', 300)])
      expect(await expiries.claim(20_000, 10, backoff)).toEqual([])
    })

    it('has no timer where the transaction of the hold was rolled back', async () => {
      const { expiries, transactions } = await make()
      const lost = transactions.run(async (tx) => {
        await expiries.add(timer('a', 1), tx)
        throw new Error('the hold is not made')
      })
      await expect(lost).rejects.toThrow('not made')
      expect(await expiries.claim(10, 10, backoff)).toEqual([])
    })

    it('puts off what it gives, longer each time, up to a bound', async () => {
      const expiries = await holding(timer('a', 100))
      const claimedAt = async (now_ms: number) => (await expiries.claim(now_ms, 10, backoff)).length
      expect([await claimedAt(100), await claimedAt(199), await claimedAt(200)]).toEqual([1, 0, 1])
      expect([await claimedAt(399), await claimedAt(400)]).toEqual([0, 1])
      expect([await claimedAt(649), await claimedAt(650), await claimedAt(899), await claimedAt(900)]).toEqual([0, 1, 0, 1])
      for (let claims = 0; claims < 40; claims++) await claimedAt(1_000_000 + claims * 250)
      expect([await claimedAt(1_010_000), await claimedAt(1_010_249), await claimedAt(1_010_250)]).toEqual([1, 0, 1])
    })

    it('lets nothing that was put off stand before what comes due after it', async () => {
      const stuck = Array.from({ length: 5 }, (_, at) => timer(`stuck-${at}`, at))
      const expiries = await holding(...stuck, timer('later', 50))
      expect(await expiries.claim(50, 5, backoff)).toEqual(stuck)
      expect(await expiries.claim(50, 5, backoff)).toEqual([timer('later', 50)])
    })

    it('gives a timer to one of several claimants at once', async () => {
      const expiries = await holding(...Array.from({ length: 20 }, (_, at) => timer(`t-${String(at).padStart(2, '0')}`, 1)))
      const claims = await Promise.all(Array.from({ length: 6 }, () => expiries.claim(10, 5, backoff)))
      const given = claims.flat().map(({ holdId }) => holdId)
      expect(new Set(given).size).toBe(given.length)
    })
  })
}
