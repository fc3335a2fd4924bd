import type { Clock, Decider, Ids } from '#kernel'
import { limitsFrom, walletDecider, type LimitRow, type LimitsAt, type WalletCommand, type WalletEvent, type WalletState } from '#wallet'

/** The wallet's rules with their limits, and where time and ids come from: what every handler decides with. */
export class Rules {
  readonly wallet: Decider<WalletCommand, WalletState, WalletEvent>
  readonly limitsAt: LimitsAt

  constructor(
    limits: readonly LimitRow[],
    readonly clock: Clock,
    readonly ids: Ids,
  ) {
    this.limitsAt = limitsFrom(limits)
    this.wallet = walletDecider(this.limitsAt)
  }
}
