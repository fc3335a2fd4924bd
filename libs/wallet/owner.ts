import { refuse, type Decider, type Refusal } from '#kernel'

/** Which wallet an owner has: a stream of its own, so that two openings at once meet there and one is refused. */
export interface OwnerState {
  /** The open wallet. */
  readonly walletId: string | null
  /** The one before, when it was closed. */
  readonly closedWalletId: string | null
}

export type OwnerEvent =
  | { readonly type: 'WalletAssigned'; readonly data: { readonly walletId: string; readonly at_ms: number } }
  | { readonly type: 'WalletGivenUp'; readonly data: { readonly walletId: string; readonly at_ms: number } }

export type OwnerCommand = { readonly at_ms: number; readonly walletId: string } & (
  { readonly type: 'assign' } | { readonly type: 'give-up' }
)

/** One open wallet an owner. */
export const ownerDecider: Decider<OwnerCommand, OwnerState, OwnerEvent> = {
  initialState: { walletId: null, closedWalletId: null },
  decide: ({ type, walletId, at_ms }, state): readonly OwnerEvent[] | Refusal => {
    if (type === 'give-up') return state.walletId === walletId ? [{ type: 'WalletGivenUp', data: { walletId, at_ms } }] : []
    if (state.walletId !== null) return refuse('wallet-exists', 'the owner has an open wallet', 'conflict')
    return [{ type: 'WalletAssigned', data: { walletId, at_ms } }]
  },
  evolve: (state, { type, data }) =>
    type === 'WalletAssigned' ? { ...state, walletId: data.walletId } : { walletId: null, closedWalletId: data.walletId },
}
