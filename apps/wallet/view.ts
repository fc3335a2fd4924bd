import { subtract, toMoneyJson, type Paise } from '#kernel'
import { available, type Hold, type WalletState } from '#wallet'

/** Money as plain JSON. */
export const money = (amount: Paise) => ({ ...toMoneyJson(amount) })

/** A wallet as clients see it. */
export const walletView = (walletId: string, version: number, state: WalletState) => ({
  walletId,
  ownerId: state.ownerId,
  kyc: state.kyc,
  balance: money(state.balance),
  held: money(state.held),
  available: money(available(state)),
  status: state.status,
  version,
})

export type HoldStatus = 'OPEN' | 'CAPTURED' | 'RELEASED'

/** A hold as clients see it; `captured` once it was captured, in part or whole. */
export const holdView = (
  walletId: string,
  hold: Pick<Hold, 'holdId' | 'amount' | 'reference' | 'expiresAt_ms'>,
  status: HoldStatus,
  captured?: Paise,
) => ({
  holdId: hold.holdId,
  walletId,
  status,
  amount: money(hold.amount),
  ...(captured === undefined ? {} : { captured: money(captured), released: money(subtract(hold.amount, captured)) }),
  reference: hold.reference,
  expiresAt: hold.expiresAt_ms === undefined ? null : new Date(hold.expiresAt_ms).toISOString(),
})
