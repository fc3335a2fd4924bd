import { paise, type Paise } from '#kernel'
import type { Account, WalletEvent } from './events.js'
import { available, evolve, movement, noWallet, type WalletState } from './state.js'

export type EntryType = 'credit' | 'load' | 'debit' | 'cash-out' | 'refund' | 'payout' | 'capture' | 'transfer-out' | 'transfer-in'

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
    case 'LoadCredited':
      return line('load', event.data.loadId, event.data)
    case 'Debited':
      return line('debit', event.data.entryId, event.data)
    case 'CashedOut':
      return line('cash-out', event.data.entryId, event.data)
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

/** An account's two columns. Both only grow. */
export interface AccountSums {
  readonly debits: Paise
  readonly credits: Paise
}

/**
 * What the events add up to, by account. `wallets` is all wallets together: what customers are owed, so it grows by credits. Each movement is
 * written on both sides, so that the columns of the whole are always the same.
 */
export type Books = Readonly<Record<AccountName, AccountSums>>
export type AccountName = Account | 'wallets'

export const ACCOUNTS: readonly AccountName[] = ['wallets', 'escrow', 'provider-clearing', 'merchant-payable', 'transfers', 'owner-payable']

const NOTHING: AccountSums = { debits: paise(0n), credits: paise(0n) }

export const NO_BOOKS: Books = {
  wallets: NOTHING,
  escrow: NOTHING,
  'provider-clearing': NOTHING,
  'merchant-payable': NOTHING,
  transfers: NOTHING,
  'owner-payable': NOTHING,
}

/** Above zero: owed to somebody. Below: owned, as what lies at the bank is. */
export const balanceOf = ({ debits, credits }: AccountSums): Paise => paise(credits - debits)

/** Books an event: what the wallet is credited with its counter-account is debited with, and the other way round. */
export const book = (books: Books, event: WalletEvent): Books => {
  const moved = movement(event)
  if (!moved) return books
  const { account, change } = moved
  return { ...books, wallets: post(books.wallets, change), [account]: post(books[account], -change) }
}

const post = ({ debits, credits }: AccountSums, change: bigint): AccountSums =>
  change >= 0n ? { debits, credits: paise(credits + change) } : { debits: paise(debits - change), credits }

/**
 * Whether an event's own balance and held are those of the event before it and its amounts, and leave nothing less than nothing available. It needs no
 * history; what adds up from each to the next adds up from the first.
 */
export const follows = (event: WalletEvent, before?: WalletEvent): boolean => {
  const from = before ? { ...noWallet, balance: paise(before.data.balance), held: paise(before.data.held) } : noWallet
  return audit([event], from).wrongAt === undefined
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
