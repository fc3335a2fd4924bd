import type { Transaction } from '#kernel'

/** When a hold is to be released if it is still open. */
export interface HoldExpiry {
  readonly walletId: string
  readonly holdId: string
  /** Milliseconds since the epoch. */
  readonly expiresAt_ms: number
}

/** How a claimed timer comes again if it is not removed: after `first_ms`, doubled with each claim, at most `most_ms`. */
export interface Backoff {
  readonly first_ms: number
  readonly most_ms: number
}

/** The timers of holds, durable: what was added comes due at its time whatever happens to the process in between. */
export interface HoldExpiries {
  /** In the transaction that makes the hold, so that one is there if and only if the other is. */
  add(expiry: HoldExpiry, tx: Transaction): Promise<void>
  /**
   * Those whose time has come, longest due first, at most `limit`. Claiming puts them off in the same step: nobody else is given them
   * meanwhile, and one that cannot be worked off is out of the others' way until it comes again.
   */
  claim(now_ms: number, limit: number, backoff: Backoff): Promise<readonly HoldExpiry[]>
  remove(expiries: readonly HoldExpiry[]): Promise<void>
}

/** The provider's token. */
export const HOLD_EXPIRIES = Symbol('hold expiries')
