import { paise, type Json, type JsonObject, type Paise } from '#kernel'
import { financialYear, istDay, istMonth } from './calendar.js'
import type { Account, WalletEvent, WalletStatus } from './events.js'
import {
  findHold,
  holdsOf,
  NO_HOLDS,
  NONE_ENDED,
  openHolds,
  remember,
  withHold,
  withoutHold,
  type Ended,
  type HoldMaker,
  type OpenHolds,
} from './holds.js'
import { addTo, NO_SUM, takeFrom, type Kyc, type PeriodSum } from './limits.js'

/**
 * Holds that ended, remembered so that a second capture or release is answered for what it is. What is forgotten can be neither captured
 * nor given back either; a hold made anew under a forgotten id takes no money by itself, and the command that made the first is recognised
 * by the event store for as long as it keeps command ids.
 */
const ENDED_REMEMBERED = 64
/**
 * Ids barred by a release that overtook its hold. Messages of one wallet are ordered, so only a hold that was set aside and sent again can
 * come after its release; a wallet that had more than this many such accidents since is not a wallet in use.
 */
const BARRED_REMEMBERED = 512

/** A load under way, and the newest periods that it was counted into. */
export interface OpenLoad {
  readonly amount: Paise
  readonly month: number
  readonly year: number
}

export interface WalletState {
  /** NONE: there is no such wallet. */
  readonly status: WalletStatus | 'NONE'
  readonly ownerId: string
  readonly kyc: Kyc
  readonly openedAt_ms: number
  readonly balance: Paise
  readonly held: Paise
  readonly holds: OpenHolds
  readonly ended: Ended
  readonly barred: Ended
  /** Loads that were asked for and are not paid yet, and what they come to. */
  readonly loads: ReadonlyMap<string, OpenLoad>
  readonly loading: Paise
  /** What loads bring in counts from their request. */
  readonly loadedInMonth: PeriodSum
  readonly loadedInYear: PeriodSum
  readonly sentToOthers: PeriodSum
  /** What was paid in cash in the month. */
  readonly cashedOut: PeriodSum
  /** How many transfers went out that day. */
  readonly sentInDay: PeriodSum
  readonly sentInFirstDay: Paise
  /** Registered beneficiaries, and what went to each in the month. */
  readonly beneficiaries: ReadonlyMap<string, PeriodSum>
}

export const noWallet: WalletState = {
  status: 'NONE',
  ownerId: '',
  kyc: 'small',
  openedAt_ms: 0,
  balance: paise(0n),
  held: paise(0n),
  holds: NO_HOLDS,
  ended: NONE_ENDED,
  barred: NONE_ENDED,
  loads: new Map(),
  loading: paise(0n),
  loadedInMonth: NO_SUM,
  loadedInYear: NO_SUM,
  sentToOthers: NO_SUM,
  cashedOut: NO_SUM,
  sentInDay: NO_SUM,
  sentInFirstDay: paise(0n),
  beneficiaries: new Map(),
}

export const FIRST_DAY_MS = 86_400_000

/** What can be spent: never below zero. */
export const available = ({ balance, held }: Pick<WalletState, 'balance' | 'held'>): Paise => paise(balance - held)

/** Whether money is held under this id. */
export const isHoldOpen = ({ holds }: Pick<WalletState, 'holds'>, holdId: string): boolean => findHold(holds, holdId) !== undefined

/** What an event does to the balance, with the account that stands against it; undefined where no money moves. */
export const movement = (event: WalletEvent): { readonly change: Paise; readonly account: Account } | undefined => {
  switch (event.type) {
    case 'Credited':
    case 'LoadCredited':
    case 'Refunded':
    case 'TransferredIn':
      return { change: paise(event.data.amount), account: event.data.account }
    case 'Debited':
    case 'CashedOut':
    case 'PaidOut':
    case 'HoldCaptured':
    case 'TransferredOut':
      return { change: paise(-BigInt(event.data.amount)), account: event.data.account }
    default:
      return undefined
  }
}

/** Works the balance out from the amounts, never from the balance that the event carries: the two are compared by `audit`. */
export const evolve = (state: WalletState, event: WalletEvent): WalletState => {
  switch (event.type) {
    case 'WalletOpened':
      return { ...state, status: 'OPEN', ownerId: event.data.ownerId, kyc: event.data.kyc, openedAt_ms: event.data.at_ms }
    case 'Credited':
      return loaded(moved(state, event), event.data)
    case 'TransferredIn':
      return loaded(moved(state, event), event.data)
    case 'LoadRequested':
      return loading(loaded(state, event.data), event.data)
    case 'LoadCredited':
      return withoutLoad(moved(state, event), event.data.loadId)
    case 'LoadFailed':
      return unloaded(withoutLoad(state, event.data.loadId), state.loads.get(event.data.loadId))
    case 'Debited':
    case 'Refunded':
    case 'PaidOut':
      return moved(state, event)
    case 'CashedOut': {
      const { at_ms, amount } = event.data
      return { ...moved(state, event), cashedOut: addTo(state.cashedOut, istMonth(at_ms), BigInt(amount)) }
    }
    case 'TransferredOut':
      return sent(moved(state, event), event.data)
    case 'FundsHeld': {
      const { holdId, madeBy, reference, expiresAt_ms } = event.data
      const amount = paise(event.data.amount)
      const hold = { holdId, amount, madeBy, reference, ...(expiresAt_ms === undefined ? {} : { expiresAt_ms }) }
      return { ...state, held: paise(state.held + amount), holds: withHold(state.holds, hold) }
    }
    case 'HoldCaptured':
      return withoutOpen(moved(state, event), event.data.holdId, 'captured', BigInt(event.data.amount) + BigInt(event.data.released))
    case 'HoldReleased':
      return withoutOpen(state, event.data.holdId, 'released', BigInt(event.data.amount))
    case 'HoldBarred':
      return { ...state, barred: remember(state.barred, event.data.holdId, 'barred', BARRED_REMEMBERED) }
    case 'BeneficiaryRegistered':
      return { ...state, beneficiaries: new Map(state.beneficiaries).set(event.data.walletId, NO_SUM) }
    case 'WalletFrozen':
      return { ...state, status: 'FROZEN' }
    case 'WalletUnfrozen':
      return { ...state, status: 'OPEN' }
    case 'WalletClosed':
      return { ...state, status: 'CLOSED' }
    case 'KycChanged':
      return { ...state, kyc: event.data.kyc }
    case 'LoadRedirected':
      return state
  }
}

const moved = (state: WalletState, event: WalletEvent): WalletState => ({
  ...state,
  balance: paise(state.balance + (movement(event)?.change ?? 0n)),
})

const withoutOpen = (state: WalletState, holdId: string, end: 'captured' | 'released', amount: bigint): WalletState => ({
  ...state,
  held: paise(state.held - amount),
  holds: withoutHold(state.holds, holdId),
  ended: remember(state.ended, holdId, end, ENDED_REMEMBERED),
})

type Moved = { readonly at_ms: number; readonly amount: string }

const loaded = (state: WalletState, { at_ms, amount }: Moved): WalletState => {
  const month = istMonth(at_ms)
  return {
    ...state,
    loadedInMonth: addTo(state.loadedInMonth, month, BigInt(amount)),
    loadedInYear: addTo(state.loadedInYear, financialYear(month), BigInt(amount)),
  }
}

const loading = (state: WalletState, { loadId, amount }: { readonly loadId: string; readonly amount: string }): WalletState => {
  const load = { amount: paise(amount), month: state.loadedInMonth.period, year: state.loadedInYear.period }
  return { ...state, loads: new Map(state.loads).set(loadId, load), loading: paise(state.loading + load.amount) }
}

const withoutLoad = (state: WalletState, loadId: string): WalletState => {
  const loads = new Map(state.loads)
  const amount = loads.get(loadId)?.amount ?? 0n
  loads.delete(loadId)
  return { ...state, loads, loading: paise(state.loading - amount) }
}

const unloaded = (state: WalletState, load: OpenLoad | undefined): WalletState =>
  load === undefined
    ? state
    : {
        ...state,
        loadedInMonth: takeFrom(state.loadedInMonth, load.month, load.amount),
        loadedInYear: takeFrom(state.loadedInYear, load.year, load.amount),
      }

const sent = (state: WalletState, data: Moved & { readonly counterparty: string; readonly toBeneficiary: boolean }): WalletState => {
  const { at_ms, counterparty } = data
  const amount = BigInt(data.amount)
  const month = istMonth(at_ms)
  const common = {
    ...state,
    sentInDay: addTo(state.sentInDay, istDay(at_ms), 1n),
    sentInFirstDay: at_ms < state.openedAt_ms + FIRST_DAY_MS ? paise(state.sentInFirstDay + amount) : state.sentInFirstDay,
  }
  if (!data.toBeneficiary) return { ...common, sentToOthers: addTo(state.sentToOthers, month, amount) }
  const before = state.beneficiaries.get(counterparty) ?? NO_SUM
  return { ...common, beneficiaries: new Map(state.beneficiaries).set(counterparty, addTo(before, month, amount)) }
}

/** The state as JSON, canonical: equal states give equal JSON. */
export const writeWallet = (state: WalletState): JsonObject => ({
  ...state,
  balance: state.balance.toString(),
  held: state.held.toString(),
  holds: openHolds(state.holds).map((hold) => ({ ...hold, amount: hold.amount.toString() })),
  ended: { young: state.ended.young, old: state.ended.old },
  barred: { young: state.barred.young, old: state.barred.old },
  loads: [...state.loads].map(([loadId, load]) => [loadId, { ...load, amount: load.amount.toString() }]),
  loading: state.loading.toString(),
  loadedInMonth: writeSum(state.loadedInMonth),
  loadedInYear: writeSum(state.loadedInYear),
  sentToOthers: writeSum(state.sentToOthers),
  cashedOut: writeSum(state.cashedOut),
  sentInDay: writeSum(state.sentInDay),
  sentInFirstDay: state.sentInFirstDay.toString(),
  beneficiaries: [...state.beneficiaries].map(([walletId, sum]) => [walletId, writeSum(sum)]),
})

const writeSum = ({ period, sum }: PeriodSum): Json => ({ period, sum: sum.toString() })

/** What `writeWallet` wrote. The store guards a snapshot's shape; this trusts it. */
interface WalletJson {
  readonly status: WalletState['status']
  readonly ownerId: string
  readonly kyc: Kyc
  readonly openedAt_ms: number
  readonly balance: string
  readonly held: string
  readonly holds: readonly { holdId: string; amount: string; madeBy: HoldMaker; reference: string; expiresAt_ms?: number }[]
  readonly ended: Ended
  readonly barred: Ended
  readonly loads: readonly (readonly [string, { readonly amount: string; readonly month: number; readonly year: number }])[]
  readonly loading: string
  readonly loadedInMonth: SumJson
  readonly loadedInYear: SumJson
  readonly sentToOthers: SumJson
  readonly cashedOut: SumJson
  readonly sentInDay: SumJson
  readonly sentInFirstDay: string
  readonly beneficiaries: readonly (readonly [string, SumJson])[]
}
type SumJson = { readonly period: number; readonly sum: string }

export const readWallet = (json: JsonObject): WalletState => {
  const wallet = json as unknown as WalletJson
  const readSum = ({ period, sum }: SumJson): PeriodSum => ({ period, sum: paise(sum) })
  return {
    ...wallet,
    balance: paise(wallet.balance),
    held: paise(wallet.held),
    holds: holdsOf(wallet.holds.map((hold) => ({ ...hold, amount: paise(hold.amount) }))),
    loads: new Map(wallet.loads.map(([loadId, load]) => [loadId, { ...load, amount: paise(load.amount) }])),
    loading: paise(wallet.loading),
    loadedInMonth: readSum(wallet.loadedInMonth),
    loadedInYear: readSum(wallet.loadedInYear),
    sentToOthers: readSum(wallet.sentToOthers),
    cashedOut: readSum(wallet.cashedOut),
    sentInDay: readSum(wallet.sentInDay),
    sentInFirstDay: paise(wallet.sentInFirstDay),
    beneficiaries: new Map(wallet.beneficiaries.map(([walletId, sum]) => [walletId, readSum(sum)])),
  }
}
