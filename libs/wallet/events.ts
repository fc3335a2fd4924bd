import type { HoldMaker } from './holds.js'
import type { Kyc } from './limits.js'

export type WalletStatus = 'OPEN' | 'FROZEN' | 'CLOSED'

/** The system accounts that stand against the wallets. They are not streams: each is the sum over the events that name it. */
export type Account =
  /** The escrow account at the bank that backs the wallets: credits come from it, debits go to it. */
  | 'escrow'
  /** What a payment provider has collected for a load and not yet settled. */
  | 'provider-clearing'
  /** Captured for merchants; refunds come back out of it. */
  | 'merchant-payable'
  /** Between the two sides of a transfer: always zero, as both are written together. */
  | 'transfers'
  /** Owed to former owners: what a wallet held when it was closed, or came back later. */
  | 'owner-payable'

/** After each event, so that publishing, statements and audits need no state. Amounts are decimal strings of paise. */
export type After = {
  readonly at_ms: number
  readonly ownerId: string
  readonly balance: string
  readonly held: string
  readonly status: WalletStatus
}

/** A movement between the wallet and `account`. */
type Movement = { readonly amount: string; readonly account: Account; readonly reference: string }

export type WalletEvent =
  | { readonly type: 'WalletOpened'; readonly data: After & { readonly kyc: Kyc } }
  | { readonly type: 'Credited'; readonly data: After & Movement & { readonly entryId: string } }
  /** A payment is asked for that is to load the wallet. The limits have been asked, and its room is kept. */
  | { readonly type: 'LoadRequested'; readonly data: After & LoadData & { readonly payment: LoadPayment } }
  | { readonly type: 'LoadRedirected'; readonly data: After & { readonly loadId: string; readonly next: LoadNext } }
  | { readonly type: 'LoadCredited'; readonly data: After & Movement & { readonly loadId: string } }
  /** It was not paid, or what was paid goes back. */
  | { readonly type: 'LoadFailed'; readonly data: After & LoadData & { readonly reason: string } }
  | { readonly type: 'Debited'; readonly data: After & Movement & { readonly entryId: string } }
  | { readonly type: 'CashedOut'; readonly data: After & Movement & { readonly entryId: string } }
  /** Money back: it counts into no limit. */
  | { readonly type: 'Refunded'; readonly data: After & Movement & { readonly entryId: string } }
  /** To the owner's bank, because the wallet is closed. */
  | { readonly type: 'PaidOut'; readonly data: After & Movement & { readonly entryId: string } }
  | { readonly type: 'FundsHeld'; readonly data: After & HoldData }
  /** `amount` was taken, `released` is the rest of the hold that was given back. */
  | { readonly type: 'HoldCaptured'; readonly data: After & Movement & { readonly holdId: string; readonly released: string } }
  | {
      readonly type: 'HoldReleased'
      readonly data: After & { readonly holdId: string; readonly amount: string; readonly cause: 'released' | 'expired' }
    }
  /** Released before it was made: a later hold of this id is refused. */
  | { readonly type: 'HoldBarred'; readonly data: After & { readonly holdId: string } }
  | { readonly type: 'TransferredOut'; readonly data: After & TransferData & { readonly toBeneficiary: boolean } }
  | { readonly type: 'TransferredIn'; readonly data: After & TransferData }
  | { readonly type: 'BeneficiaryRegistered'; readonly data: After & { readonly walletId: string } }
  | { readonly type: 'WalletFrozen'; readonly data: After }
  | { readonly type: 'WalletUnfrozen'; readonly data: After }
  | { readonly type: 'WalletClosed'; readonly data: After }
  | { readonly type: 'KycChanged'; readonly data: After & { readonly kyc: Kyc } }

type LoadData = { readonly loadId: string; readonly amount: string }

/** How a load is to be paid. The instrument is sealed under its owner's key; `display` is its masked form. */
export type LoadPayment = {
  readonly method: 'upi' | 'card' | 'netbanking'
  readonly flow?: 'collect' | 'intent'
  readonly instrument: { readonly subject: string; readonly nonce: string; readonly ciphertext: string }
  readonly display: string
}

/** Where the payer goes on: a page of the bank's, or what a UPI app opens. */
export type LoadNext = { readonly kind: 'redirect' | 'intent'; readonly url: string }

type HoldData = {
  readonly holdId: string
  readonly amount: string
  readonly madeBy: HoldMaker
  readonly reference: string
  readonly expiresAt_ms?: number
}

/** `counterparty` is the other wallet. */
type TransferData = Movement & { readonly transferId: string; readonly counterparty: string }
