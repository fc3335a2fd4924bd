import { add, subtract, toMoneyJson, type Paise } from '#kernel'
import { ACCOUNTS, available, balanceOf, type Hold, type LoadNext, type LoadPayment, type StatementEntry, type WalletState } from '#wallet'
import type { Folded } from './books/trial-balances.js'

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

/** A load as its wallet's stream tells of it. */
export interface ShownLoad {
  readonly loadId: string
  readonly walletId: string
  readonly amount: Paise
  readonly payment: Pick<LoadPayment, 'method' | 'flow' | 'display'>
  readonly status: 'PENDING' | 'COMPLETED' | 'FAILED'
  readonly next?: LoadNext
  readonly reason?: string
  readonly requestedAt_ms: number
  readonly updatedAt_ms: number
}

/** A load as clients see it. */
export const loadView = ({ loadId, walletId, amount, payment, status, next, reason, requestedAt_ms, updatedAt_ms }: ShownLoad) => ({
  loadId,
  walletId,
  status,
  amount: money(amount),
  payment: { method: payment.method, ...(payment.flow === undefined ? {} : { flow: payment.flow }), display: payment.display },
  ...(next && status === 'PENDING' ? { next: { ...next } } : {}),
  ...(reason === undefined ? {} : { reason }),
  requestedAt: new Date(requestedAt_ms).toISOString(),
  updatedAt: new Date(updatedAt_ms).toISOString(),
})

/** A line of a statement as clients see it. */
export const entryView = ({ entryId, at_ms, type, amount, balance, reference }: StatementEntry) => ({
  entryId,
  at: new Date(at_ms).toISOString(),
  type,
  amount: money(amount),
  balance: money(balance),
  reference,
})

/** Every account's columns, and what all balances add up to: zero, or the books are wrong. */
export const trialBalanceView = ({ books, countedEvents }: Folded) => ({
  accounts: ACCOUNTS.map((account) => {
    const { debits, credits } = books[account]
    return { account, debits: money(debits), credits: money(credits), balance: money(balanceOf(books[account])) }
  }),
  total: money(add(...ACCOUNTS.map((account) => balanceOf(books[account])))),
  countedEvents,
})
