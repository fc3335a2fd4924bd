import type { Paise, Refusal } from '#kernel'
import { financialYear, istMonth } from './calendar.js'
import { above, sumIn, type LimitsAt } from './limits.js'
import type { WalletState } from './state.js'

/**
 * What limits say to money coming in by a load, a credit or a transfer. A load that was taken in hand counts from then on, paid or not: what
 * comes beside it leaves it its room.
 */
export const incomingLimits = (state: WalletState, amount: Paise, at_ms: number, limitsAt: LimitsAt): Refusal | undefined => {
  const limits = limitsAt(state.kyc, at_ms)
  const month = istMonth(at_ms)
  const slug = 'kyc-limit-exceeded'
  return (
    above(
      limits,
      'balance',
      state.balance + state.loading + amount,
      slug,
      'the balance would be above what this kind of wallet may hold',
    ) ??
    above(limits, 'loads-per-month', sumIn(state.loadedInMonth, month) + amount, slug, 'more than may be loaded in a month') ??
    above(
      limits,
      'loads-per-year',
      sumIn(state.loadedInYear, financialYear(month)) + amount,
      slug,
      'more than may be loaded in a financial year',
    )
  )
}
