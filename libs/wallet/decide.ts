import { isRefusal, refuse, ZERO, type Decider, type Paise, type Refusal } from '#kernel'
import { after } from './event-balances.js'
import { istMonth } from './calendar.js'
import type { CommandOf, HoldEnder, WalletCommand } from './commands.js'
import type { WalletEvent } from './events.js'
import { findHold, recall, type Hold } from './holds.js'
import { incomingLimits } from './incoming-limits.js'
import { above, sumIn, type LimitsAt } from './limits.js'
import { creditLoad, failLoad, redirectLoad, requestLoad } from './loads.js'
import { insufficient, invalidTransition, notAnAmount, notOpen, notSpendable, notUsable, unknownWallet } from './refusals.js'
import { available, evolve, noWallet, type WalletState } from './state.js'

/** A bound for the state, far above any wallet's use. */
export const MAX_OPEN_HOLDS = 10_000
export const MAX_BENEFICIARIES = 100

type Decided = readonly WalletEvent[] | Refusal

/** One wallet's rules. The limits are configuration. */
export const walletDecider = (limitsAt: LimitsAt): Decider<WalletCommand, WalletState, WalletEvent> => ({
  initialState: noWallet,
  evolve,
  decide: (command, state) => decide(command, state, limitsAt),
})

const decide = (command: WalletCommand, state: WalletState, limitsAt: LimitsAt): Decided => {
  switch (command.type) {
    case 'open':
      return open(command, state)
    case 'credit':
      return credit(command, state, limitsAt)
    case 'request-load':
      return requestLoad(command, state, limitsAt)
    case 'redirect-load':
      return redirectLoad(command, state)
    case 'credit-load':
      return creditLoad(command, state)
    case 'fail-load':
      return failLoad(command, state)
    case 'debit':
      return debit(command, state)
    case 'cash-out':
      return cashOut(command, state, limitsAt)
    case 'refund':
      return refund(command, state)
    case 'hold':
      return hold(command, state)
    case 'capture':
      return capture(command, state)
    case 'release':
      return release(command, state)
    case 'expire':
      return expire(command, state)
    case 'register-beneficiary':
      return registerBeneficiary(command, state)
    case 'freeze':
      return (
        notUsable(state) ?? (state.status === 'FROZEN' ? [] : [{ type: 'WalletFrozen', data: after(state, command, { status: 'FROZEN' }) }])
      )
    case 'unfreeze':
      return (
        notUsable(state) ?? (state.status === 'OPEN' ? [] : [{ type: 'WalletUnfrozen', data: after(state, command, { status: 'OPEN' }) }])
      )
    case 'close':
      return close(command, state)
    case 'change-kyc':
      return (
        notUsable(state) ??
        (state.kyc === command.kyc ? [] : [{ type: 'KycChanged', data: { ...after(state, command, {}), kyc: command.kyc } }])
      )
  }
}

const open = (command: CommandOf<'open'>, state: WalletState): Decided =>
  state.status === 'NONE'
    ? [{ type: 'WalletOpened', data: { ...after(state, command, {}), ownerId: command.ownerId, kyc: command.kyc } }]
    : refuse('wallet-exists', 'the wallet is there already', 'conflict')

const credit = (command: CommandOf<'credit'>, state: WalletState, limitsAt: LimitsAt): Decided => {
  const { entryId, amount, reference, at_ms } = command
  const refusal = notUsable(state) ?? notAnAmount(amount) ?? incomingLimits(state, amount, at_ms, limitsAt)
  if (refusal) return refusal
  return [
    {
      type: 'Credited',
      data: { ...after(state, command, { balance: amount }), amount: amount.toString(), account: 'escrow', entryId, reference },
    },
  ]
}

const debit = (command: CommandOf<'debit'>, state: WalletState): Decided =>
  notPayable(command, state) ?? [{ type: 'Debited', data: paidFrom(state, command) }]

const cashOut = (command: CommandOf<'cash-out'>, state: WalletState, limitsAt: LimitsAt): Decided =>
  notPayable(command, state) ?? cashLimits(state, command, limitsAt) ?? [{ type: 'CashedOut', data: paidFrom(state, command) }]

const notPayable = ({ amount }: { readonly amount: Paise }, state: WalletState): Refusal | undefined =>
  notSpendable(state) ?? notAnAmount(amount) ?? (available(state) < amount ? insufficient() : undefined)

const paidFrom = (state: WalletState, command: CommandOf<'debit' | 'cash-out'>) => {
  const { entryId, amount, reference } = command
  return { ...after(state, command, { balance: -amount }), amount: amount.toString(), account: 'escrow', entryId, reference } as const
}

const cashLimits = (state: WalletState, { at_ms, amount }: CommandOf<'cash-out'>, limitsAt: LimitsAt): Refusal | undefined => {
  const limits = limitsAt(state.kyc, at_ms)
  if (limits['cash-out-per-month'] === 0n) return refuse('kyc-limit-exceeded', 'this kind of wallet gives no cash')
  const inMonth = sumIn(state.cashedOut, istMonth(at_ms)) + amount
  return (
    above(limits, 'cash-out-at-once', amount, 'limit-exceeded', 'more than is paid in cash at once') ??
    above(limits, 'cash-out-per-month', inMonth, 'limit-exceeded', 'more than is paid in cash in a month')
  )
}

const refund = (command: CommandOf<'refund'>, state: WalletState): Decided => {
  const { entryId, payoutId, amount, reference } = command
  const refusal = state.status === 'NONE' ? unknownWallet() : notAnAmount(amount)
  if (refusal) return refusal
  const refunded: WalletEvent = {
    type: 'Refunded',
    data: { ...after(state, command, { balance: amount }), amount: amount.toString(), account: 'merchant-payable', entryId, reference },
  }
  // A closed wallet holds no money: it is owed to its owner.
  return state.status === 'CLOSED' ? [refunded, payOut(evolve(state, refunded), command, payoutId, reference)] : [refunded]
}

const payOut = (state: WalletState, at: { readonly at_ms: number }, entryId: string, reference: string): WalletEvent => ({
  type: 'PaidOut',
  data: {
    ...after(state, at, { balance: -state.balance }),
    amount: state.balance.toString(),
    account: 'owner-payable',
    entryId,
    reference,
  },
})

const hold = (command: CommandOf<'hold'>, state: WalletState): Decided => {
  const { holdId, amount, reference, madeBy, customerId, expiresAt_ms } = command
  if (state.status === 'NONE') return unknownWallet()
  if (customerId !== undefined && customerId !== state.ownerId) return refuse('not-owner', "the wallet is another customer's")
  const there = findHold(state.holds, holdId)
  if (there) return there.amount === amount && there.madeBy === madeBy ? [] : notOpen('the id is that of another hold')
  const end = recall(state.barred, holdId) ?? recall(state.ended, holdId)
  if (end) return notOpen(end === 'barred' ? 'the hold was released before it was made' : `the hold was ${end}`)
  const refusal = notSpendable(state) ?? notAnAmount(amount) ?? (available(state) < amount ? insufficient() : undefined)
  if (refusal) return refusal
  if (state.holds.size >= MAX_OPEN_HOLDS) return refuse('limit-exceeded', `at most ${MAX_OPEN_HOLDS} holds are open at once`)
  if (expiresAt_ms !== undefined && expiresAt_ms <= command.at_ms) return notOpen('the hold would have expired')
  const own = { holdId, amount: amount.toString(), madeBy, reference, ...(expiresAt_ms === undefined ? {} : { expiresAt_ms }) }
  return [{ type: 'FundsHeld', data: { ...after(state, command, { held: amount }), ...own } }]
}

/** The open hold that `by` may end, what ended it, or why not. */
const holdFor = (state: WalletState, holdId: string, by: HoldEnder): Hold | Refusal => {
  if (state.status === 'NONE') return unknownWallet()
  const found = findHold(state.holds, holdId)
  if (!found) {
    const end = recall(state.ended, holdId)
    return end ? notOpen(`the hold was ${end}`) : refuse('unknown-hold', 'there is no such hold')
  }
  const allowed = by === 'admin' || by === found.madeBy || (isSaga(by) && isSaga(found.madeBy))
  return allowed ? found : refuse('not-hold-maker', 'the hold is for whoever made it to end')
}

const isSaga = (by: string): boolean => by.startsWith('saga:')

const capture = (command: CommandOf<'capture'>, state: WalletState): Decided => {
  const { holdId, by } = command
  const found = holdFor(state, holdId, by)
  if (isRefusal(found)) {
    if (!isSaga(by)) return found
    // A saga that asks again, under another id, for what was done is told so; to it, what is not there is not open.
    if (recall(state.ended, holdId) === 'captured') return []
    return found.slug === 'unknown-hold' || found.slug === 'not-hold-maker' ? notOpen('there is no such hold') : found
  }
  if (found.expiresAt_ms !== undefined && found.expiresAt_ms <= command.at_ms) return notOpen('the hold has expired')
  const amount = command.amount ?? found.amount
  const refusal = notAnAmount(amount)
  if (refusal) return refusal
  if (amount > found.amount) return refuse('insufficient-funds', 'more than the hold has')
  const released = (found.amount - amount).toString()
  const reference = command.reference ?? found.reference
  const own = { amount: amount.toString(), account: 'merchant-payable', reference, holdId, released } as const
  return [{ type: 'HoldCaptured', data: { ...after(state, command, { balance: -amount, held: -found.amount }), ...own } }]
}

const release = (command: CommandOf<'release'>, state: WalletState): Decided => {
  const { holdId, by } = command
  const found = holdFor(state, holdId, by)
  if (isRefusal(found)) return isSaga(by) ? releaseOfNothing(command, state, found) : found
  return [released(state, command, found, 'released')]
}

/** A saga's release of what is not open: done already, or to come and barred. A captured hold cannot be given back. */
const releaseOfNothing = (command: CommandOf<'release'>, state: WalletState, refusal: Refusal): Decided => {
  const { holdId } = command
  if (refusal.slug === 'unknown-wallet') return []
  if (refusal.slug === 'not-hold-maker') return notOpen('there is no such hold')
  if (refusal.slug === 'hold-not-open') return recall(state.ended, holdId) === 'released' ? [] : refusal
  if (recall(state.barred, holdId)) return []
  return [{ type: 'HoldBarred', data: { ...after(state, command, {}), holdId } }]
}

const expire = (command: CommandOf<'expire'>, state: WalletState): Decided => {
  const found = findHold(state.holds, command.holdId)
  const due = found?.expiresAt_ms !== undefined && found.expiresAt_ms <= command.at_ms
  return found && due ? [released(state, command, found, 'expired')] : []
}

const released = (
  state: WalletState,
  at: { readonly at_ms: number },
  { holdId, amount }: Hold,
  cause: 'released' | 'expired',
): WalletEvent => ({
  type: 'HoldReleased',
  data: { ...after(state, at, { held: -amount }), holdId, amount: amount.toString(), cause },
})

const registerBeneficiary = (command: CommandOf<'register-beneficiary'>, state: WalletState): Decided => {
  const refusal = notUsable(state)
  if (refusal) return refusal
  if (state.beneficiaries.has(command.walletId)) return []
  if (state.beneficiaries.size >= MAX_BENEFICIARIES) return refuse('limit-exceeded', `at most ${MAX_BENEFICIARIES} beneficiaries`)
  return [{ type: 'BeneficiaryRegistered', data: { ...after(state, command, {}), walletId: command.walletId } }]
}

/** What the wallet still has is paid out to the owner; a frozen one keeps it until it is unfrozen. */
const close = (command: CommandOf<'close'>, state: WalletState): Decided => {
  if (state.status === 'NONE') return unknownWallet()
  if (state.status === 'CLOSED') return []
  if (state.holds.size > 0) return invalidTransition('the wallet has open holds')
  const refusal = state.balance > ZERO ? notSpendable(state) : undefined
  if (refusal) return refusal
  const shut: WalletEvent = { type: 'WalletClosed', data: after(state, command, { status: 'CLOSED' }) }
  return state.balance > ZERO ? [shut, payOut(evolve(state, shut), command, command.payoutId, 'wallet-closed')] : [shut]
}
