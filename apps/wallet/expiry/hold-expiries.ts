/** When a hold is to be released if it is still open. */
export interface HoldExpiry {
  readonly walletId: string
  readonly holdId: string
  /** Milliseconds since the epoch. */
  readonly expiresAt_ms: number
}

/** The timers of holds, durable: what was added is due at its time whatever happens to the process in between. */
export interface HoldExpiries {
  /** A timer that is there already stays as it is. */
  add(expiry: HoldExpiry): Promise<void>
  /** Those whose time has come, earliest first, at most `limit`. They stay due until they are removed. */
  due(now_ms: number, limit: number): Promise<readonly HoldExpiry[]>
  remove(expiries: readonly HoldExpiry[]): Promise<void>
}

/** The provider's token. */
export const HOLD_EXPIRIES = Symbol('hold expiries')
