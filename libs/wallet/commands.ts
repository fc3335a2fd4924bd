import type { Paise } from '#kernel'
import type { LoadNext, LoadPayment } from './events.js'
import type { HoldMaker } from './holds.js'
import type { Kyc } from './limits.js'

/** Who asks to end a hold. An admin may end a caller's hold and a saga's. */
export type HoldEnder = HoldMaker | 'admin'

/** What can be asked of a wallet. `at_ms` is when, milliseconds since the epoch; amounts are above zero. */
export type WalletCommand = { readonly at_ms: number } & (
  | { readonly type: 'open'; readonly ownerId: string; readonly kyc: Kyc }
  | { readonly type: 'credit'; readonly entryId: string; readonly amount: Paise; readonly reference: string }
  /** Money from outside, by a payment that is yet to be made. */
  | { readonly type: 'request-load'; readonly loadId: string; readonly amount: Paise; readonly payment: LoadPayment }
  | { readonly type: 'redirect-load'; readonly loadId: string; readonly next: LoadNext }
  | { readonly type: 'credit-load'; readonly loadId: string }
  | { readonly type: 'fail-load'; readonly loadId: string; readonly reason: string }
  | { readonly type: 'debit'; readonly entryId: string; readonly amount: Paise; readonly reference: string }
  /** A debit that is paid to the owner in cash. */
  | { readonly type: 'cash-out'; readonly entryId: string; readonly amount: Paise; readonly reference: string }
  /** Money back from a merchant: never refused by a limit, a freeze or a close. `payoutId` names its way on from a closed wallet. */
  | {
      readonly type: 'refund'
      readonly entryId: string
      readonly payoutId: string
      readonly amount: Paise
      readonly reference: string
    }
  | {
      readonly type: 'hold'
      readonly holdId: string
      readonly amount: Paise
      readonly reference: string
      readonly madeBy: HoldMaker
      /** The wallet must be this customer's. */
      readonly customerId?: string
      readonly expiresAt_ms?: number
    }
  /** Without `amount` all of it; with less, the rest is given back. */
  | { readonly type: 'capture'; readonly holdId: string; readonly by: HoldEnder; readonly amount?: Paise; readonly reference?: string }
  | { readonly type: 'release'; readonly holdId: string; readonly by: HoldEnder }
  /** A timer's: releases the hold if it is open and its time has come, else does nothing. */
  | { readonly type: 'expire'; readonly holdId: string }
  | { readonly type: 'register-beneficiary'; readonly walletId: string }
  | { readonly type: 'freeze' }
  | { readonly type: 'unfreeze' }
  | { readonly type: 'close'; readonly payoutId: string }
  | { readonly type: 'change-kyc'; readonly kyc: Kyc }
)

export type CommandOf<Type extends WalletCommand['type']> = Extract<WalletCommand, { readonly type: Type }>
