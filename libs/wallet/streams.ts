import { ownerDecider } from './owner.js'
import { evolve, noWallet, readWallet, writeWallet, type WalletState } from './state.js'

/** How a wallet's events are kept and folded: the shape that an event store's stream type has. */
export const walletStream = {
  category: 'wallet',
  initialState: noWallet,
  evolve,
  closed: ({ status }: WalletState) => status === 'CLOSED',
  /** A snapshot is a few kilobytes; folding 500 events is well under a millisecond. */
  snapshotEvery: 500,
  source: import.meta.url,
  snapshot: { write: writeWallet, read: readWallet },
} as const

/** `wallet-owner-<ownerId>`: a handful of events in a lifetime. */
export const ownerStream = {
  category: 'wallet-owner',
  initialState: ownerDecider.initialState,
  evolve: ownerDecider.evolve,
  snapshotEvery: 0,
  source: import.meta.url,
} as const
