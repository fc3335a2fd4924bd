import { hasRole, Problem, type CallerIdentity, type OwnershipResolver, type Role } from '#platform'
import { Inject } from '@nestjs/common'
import { WalletReads } from '../reads.js'

/** Says of a wallet whether the caller may use it for something: its owner, or who has one of the roles. What is not there is nobody's. */
abstract class WalletAccess implements OwnershipResolver {
  protected abstract readonly others: readonly Role[]
  protected readonly owner: boolean = true

  constructor(@Inject(WalletReads) protected readonly reads: WalletReads) {}

  async owns(walletId: string, caller: CallerIdentity, _params: Readonly<Record<string, string>>): Promise<boolean> {
    const state = await this.reads.now(walletId).then(
      (loaded) => loaded.state,
      (error: unknown) => {
        if (error instanceof Problem && error.status === 404) return undefined
        throw error
      },
    )
    if (!state) return false
    return hasRole(caller, ...this.others) || (this.owner && hasRole(caller, 'customer') && state.ownerId === caller.sub)
  }
}

/** Owner and staff. */
export class WalletReader extends WalletAccess {
  protected readonly others = ['support', 'risk', 'auditor', 'admin'] as const
}

/** Owner, service and admin: who may hold money. */
export class WalletHolder extends WalletAccess {
  protected readonly others: readonly Role[] = ['service', 'admin']
}

/** Whoever made the hold, and admin: who may end it. A hold that is not there is 404 before anything else is looked at. */
export class HoldEnder extends WalletHolder {
  override async owns(walletId: string, caller: CallerIdentity, params: Readonly<Record<string, string>>): Promise<boolean> {
    if (!(await super.owns(walletId, caller, params))) return false
    const found = await this.reads.hold(walletId, params['holdId'] ?? '')
    if (found && found.hold.madeBy !== `sub:${caller.sub}` && !hasRole(caller, 'admin')) throw notHoldMaker()
    return found !== undefined
  }
}

export const notHoldMaker = (): Problem => new Problem(403, 'forbidden', 'The hold is for whoever made it to end.')

/** Owner, staff and services: whoever may have made what the answer of a change points to. */
export class WalletParty extends WalletAccess {
  protected readonly others = ['service', 'support', 'risk', 'auditor', 'admin'] as const
}

export class WalletOwner extends WalletAccess {
  protected readonly others = [] as const
}

/** Whoever the route's roles let in, for any wallet that is there. */
export class AnyWallet extends WalletAccess {
  protected readonly others = ['service', 'support', 'risk', 'auditor', 'admin'] as const
  protected override readonly owner = false
}
