import { refuse, type Refusal } from '#kernel'
import { after } from './event-balances.js'
import type { CommandOf } from './commands.js'
import type { WalletEvent } from './events.js'
import { incomingLimits } from './incoming-limits.js'
import type { LimitsAt } from './limits.js'
import { closed, notAnAmount, notUsable, unknownWallet } from './refusals.js'
import type { WalletState } from './state.js'

/** A bound for the state: nobody pays more loads at the same time. */
export const MAX_OPEN_LOADS = 20

type Decided = readonly WalletEvent[] | Refusal

/**
 * Decided against the limits before any money is taken: from then on the load has its room, however long its payment takes and whatever
 * else comes in, so that a paid load is never refused by a limit.
 */
export const requestLoad = (command: CommandOf<'request-load'>, state: WalletState, limitsAt: LimitsAt): Decided => {
  const { loadId, amount, payment, at_ms } = command
  const refusal = notUsable(state) ?? notAnAmount(amount) ?? incomingLimits(state, amount, at_ms, limitsAt)
  if (refusal) return refusal
  if (state.loads.size >= MAX_OPEN_LOADS) return refuse('limit-exceeded', `at most ${MAX_OPEN_LOADS} loads are under way at once`)
  return [{ type: 'LoadRequested', data: { ...after(state, command, {}), loadId, amount: amount.toString(), payment } }]
}

/** Where the customer must go on to pay. Of a load that has ended it is news no more. */
export const redirectLoad = (command: CommandOf<'redirect-load'>, state: WalletState): Decided => {
  const { loadId, next } = command
  return state.loads.has(loadId) ? [{ type: 'LoadRedirected', data: { ...after(state, command, {}), loadId, next } }] : []
}

/** It was paid. Neither a limit nor a freeze refuses it; a closed wallet does, and the payment goes back. */
export const creditLoad = (command: CommandOf<'credit-load'>, state: WalletState): Decided => {
  const { loadId } = command
  if (state.status === 'NONE') return unknownWallet()
  const load = state.loads.get(loadId)
  if (!load) return loadNotOpen()
  if (state.status === 'CLOSED') return closed()
  const { amount } = load
  const own = { loadId, amount: amount.toString(), account: 'provider-clearing', reference: loadId } as const
  return [{ type: 'LoadCredited', data: { ...after(state, command, { balance: amount }), ...own } }]
}

/** It was not paid, or goes back: its room in the limits is free again. */
export const failLoad = (command: CommandOf<'fail-load'>, state: WalletState): Decided => {
  const { loadId, reason } = command
  if (state.status === 'NONE') return unknownWallet()
  const load = state.loads.get(loadId)
  if (!load) return loadNotOpen()
  return [{ type: 'LoadFailed', data: { ...after(state, command, {}), loadId, amount: load.amount.toString(), reason } }]
}

const loadNotOpen = (): Refusal => refuse('load-not-open', 'the load has ended, or never was')
