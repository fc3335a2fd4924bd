import { paise, type Paise } from '#kernel'
import type { Account, WalletEvent } from './events.js'
import { available, evolve, movement, noWallet, type WalletState } from './state.js'

export type EntryType = 'credit' | 'debit' | 'refund' | 'payout' | 'capture' | 'transfer-out' | 'transfer-in'

/** A line of a statement: one movement, with the balance after it. `amount` is above zero; `type` says which way it went. */
export interface StatementEntry {
  readonly entryId: string
  readonly at_ms: number
  readonly type: EntryType
  readonly amount: Paise
  readonly balance: Paise
  readonly reference: string
}

/** The statement's line for an event; undefined where no money moved. */
export const statementEntry = (event: WalletEvent): StatementEntry | undefined => {
  switch (event.type) {
    case 'Credited':
      return line('credit', event.data.entryId, event.data)
    case 'Debited':
      return line('debit', event.data.entryId, event.data)
    case 'Refunded':
      return line('refund', event.data.entryId, event.data)
    case 'PaidOut':
      return line('payout', event.data.entryId, event.data)
    case 'HoldCaptured':
      return line('capture', event.data.holdId, event.data)
    case 'TransferredOut':
      return line('transfer-out', event.data.transferId, event.data)
    case 'TransferredIn':
      return line('transfer-in', event.data.transferId, event.data)
    default:
      return undefined
  }
}

type Moving = { readonly at_ms: number; readonly amount: string; readonly balance: string; readonly reference: string }

const line = (type: EntryType, entryId: string, { at_ms, amount, balance, reference }: Moving): StatementEntry => ({
  entryId,
  at_ms,
  type,
  amount: paise(amount),
  balance: paise(balance),
  reference,
})

export type TrialBalance = Readonly<Record<Account | 'wallets', Paise>>

export const NO_BALANCES: TrialBalance = {
  wallets: paise(0n),
  escrow: paise(0n),
  'provider-clearing': paise(0n),
  'merchant-payable': paise(0n),
  transfers: paise(0n),
  'owner-payable': paise(0n),
}

/** Books an event: what the wallet gains its counter-account loses, so that the accounts always add up to zero. */
export const book = (balances: TrialBalance, event: WalletEvent): TrialBalance => {
  const moved = movement(event)
  if (!moved) return balances
  return {
    ...balances,
    wallets: paise(balances.wallets + moved.change),
    [moved.account]: paise(balances[moved.account] - moved.change),
  }
}

/**
 * Folds a wallet's events and compares each event's own balance and held with what its amounts add up to. Answers the state, and the
 * version of the first event that says otherwise or leaves less than nothing available.
 */
export const audit = (events: Iterable<WalletEvent>, from: WalletState = noWallet): { state: WalletState; wrongAt?: number } => {
  let state = from
  let version = 0
  let wrongAt: number | undefined
  for (const event of events) {
    state = evolve(state, event)
    version++
    const same = state.balance === BigInt(event.data.balance) && state.held === BigInt(event.data.held)
    if (wrongAt === undefined && (!same || available(state) < 0n)) wrongAt = version
  }
  return wrongAt === undefined ? { state } : { state, wrongAt }
}
