import { MAX_PAISE, refuse, type Paise, type Refusal } from '#kernel'
import type { WalletState } from './state.js'

export const unknownWallet = (): Refusal => refuse('unknown-wallet', 'there is no such wallet')
export const closed = (): Refusal => refuse('wallet-closed', 'the wallet is closed')
export const frozen = (): Refusal => refuse('wallet-frozen', 'the wallet is frozen')
export const notOpen = (detail: string): Refusal => refuse('hold-not-open', detail)
export const invalidTransition = (detail: string): Refusal => refuse('invalid-transition', detail, 'conflict')

/** Without figures: a refusal travels to sagas and their records, where a customer's balance has no business. */
export const insufficient = (): Refusal => refuse('insufficient-funds', 'less is available in the wallet than was asked for')

/**
 * The same words whatever is wrong with the wallet that was to receive (none there, closed, at its limit): it is somebody else's, and the
 * sender learns nothing of its state or balance.
 */
export const notReceivable = (): Refusal => refuse('recipient-unavailable', 'the receiving wallet cannot take this transfer')

/** A wallet that is there and not closed. */
export const notUsable = ({ status }: WalletState): Refusal | undefined =>
  status === 'NONE' ? unknownWallet() : status === 'CLOSED' ? closed() : undefined

/** A wallet that money may leave. */
export const notSpendable = (state: WalletState): Refusal | undefined =>
  notUsable(state) ?? (state.status === 'FROZEN' ? frozen() : undefined)

/** The edge checks amounts with their fields; a message may still bring nonsense. */
export const notAnAmount = (amount: Paise): Refusal | undefined =>
  amount > 0n && amount <= MAX_PAISE ? undefined : refuse('invalid-amount', 'an amount is above zero and at most 10^15 paise')
