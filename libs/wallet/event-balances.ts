import { paise } from '#kernel'
import type { After, WalletStatus } from './events.js'
import { available, type WalletState } from './state.js'

interface Change {
  readonly balance?: bigint
  readonly held?: bigint
  readonly status?: WalletStatus
}

/** What every event says of the wallet after it. Throws where the rules above it would let the wallet go below zero: a bug, not a refusal. */
export const after = (state: WalletState, { at_ms }: { readonly at_ms: number }, change: Change): After => {
  const balance = paise(state.balance + (change.balance ?? 0n))
  const held = paise(state.held + (change.held ?? 0n))
  if (held < 0n || available({ balance, held }) < 0n) throw new Error('a decision would leave less than nothing available')
  const status = change.status ?? (state.status === 'NONE' ? 'OPEN' : state.status)
  return { at_ms, ownerId: state.ownerId, balance: balance.toString(), held: held.toString(), status }
}
