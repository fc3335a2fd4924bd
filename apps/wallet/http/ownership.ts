import { hasRole, Problem, type CallerIdentity, type OwnershipResolver, type Role } from '#platform'
import { Inject } from '@nestjs/common'
import { WalletReads } from '../reads.js'

/** Says of a wallet whether the caller may use it for something: its owner, or who has one of the roles. What is not there is nobody's. */
abstract class WalletAccess implements OwnershipResolver {
  protected abstract readonly others: readonly Role[]
  protected readonly owner: boolean = true

  constructor(@Inject(WalletReads) private readonly reads: WalletReads) {}

  async owns(walletId: string, caller: CallerIdentity): Promise<boolean> {
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

/** Owner, service and admin: who may hold money and end holds. */
export class WalletHolder extends WalletAccess {
  protected readonly others = ['service', 'admin'] as const
}

export class WalletOwner extends WalletAccess {
  protected readonly others = [] as const
}

/** Whoever the route's roles let in, for any wallet that is there. */
export class AnyWallet extends WalletAccess {
  protected readonly others = ['service', 'support', 'risk', 'auditor', 'admin'] as const
  protected override readonly owner = false
}
