import type { Kyc, LimitRow, LimitRule } from '../limits.js'

/**
 * Wallets as plain as they can be said: numbers, lists and sets, and every sum worked out anew from the lists. What the decider does with
 * states, sums and counts must come to the same.
 */
export interface PlainWallet {
  readonly openedAt_ms: number
  balance: number
  kyc: Kyc
  frozen: boolean
  closed: boolean
  readonly holds: Map<string, { readonly amount: number; readonly expiresAt_ms: number }>
  readonly gone: Set<string>
  /** Loads under way: counted in `loads` from their request on. */
  readonly pending: Map<string, { readonly at_ms: number; readonly amount: number }>
  readonly beneficiaries: Set<Name>
  loads: { readonly at_ms: number; readonly amount: number }[]
  readonly cash: { readonly at_ms: number; readonly amount: number }[]
  readonly sent: { readonly at_ms: number; readonly amount: number; readonly to: Name; readonly registered: boolean }[]
}

export const NAMES = ['a', 'b', 'c'] as const
export type Name = (typeof NAMES)[number]
export const OPENED_AS: Readonly<Record<Name, Kyc>> = { a: 'full', b: 'full', c: 'small' }
export type PlainWallets = Record<Name, PlainWallet>

export type Step = { readonly at_ms: number; readonly on: Name } & (
  | { readonly do: 'credit' | 'debit' | 'cash-out' | 'refund'; readonly amount: number }
  | { readonly do: 'request-load'; readonly amount: number; readonly loadId: string }
  | { readonly do: 'credit-load' | 'fail-load'; readonly loadId: string }
  | { readonly do: 'hold'; readonly amount: number; readonly holdId: string; readonly life_ms: number }
  | { readonly do: 'capture'; readonly amount: number; readonly holdId: string }
  | { readonly do: 'release' | 'expire'; readonly holdId: string }
  | { readonly do: 'freeze' | 'unfreeze' | 'close' }
  | { readonly do: 'change-kyc'; readonly kyc: Kyc }
  | { readonly do: 'register-beneficiary'; readonly to: Name }
  | { readonly do: 'transfer'; readonly to: Name; readonly amount: number }
)

const limit = (kyc: Kyc, rule: LimitRule, max: number, from = '2020-01-01'): LimitRow => ({
  kyc,
  rule,
  from,
  max: String(max),
  source: 'low enough to be met',
})

/** Low, so that random walks meet each; one of them falls on a day in the middle of the walks. */
export const LOW_LIMITS: readonly LimitRow[] = [
  limit('small', 'balance', 400),
  limit('small', 'loads-per-month', 300),
  limit('small', 'loads-per-year', 340),
  limit('small', 'transfers-to-beneficiary-per-month', 0),
  limit('small', 'transfers-to-others-per-month', 0),
  limit('full', 'balance', 2_000),
  limit('full', 'balance', 1_200, '2026-12-15'),
  limit('full', 'transfers-to-beneficiary-per-month', 300),
  limit('full', 'transfers-to-others-per-month', 250),
  limit('full', 'transfers-per-day', 2),
  limit('full', 'transfers-in-first-24-hours', 100),
  limit('small', 'cash-out-per-month', 0),
  limit('full', 'cash-out-at-once', 50),
  limit('full', 'cash-out-per-month', 40),
]

export const plainWallets = (at_ms: number): PlainWallets => {
  const wallet = (name: Name): PlainWallet => ({
    openedAt_ms: at_ms,
    balance: 0,
    kyc: OPENED_AS[name],
    frozen: false,
    closed: false,
    holds: new Map(),
    gone: new Set(),
    pending: new Map(),
    beneficiaries: new Set(),
    loads: [],
    cash: [],
    sent: [],
  })
  return { a: wallet('a'), b: wallet('b'), c: wallet('c') }
}

export const free = ({ balance, holds }: PlainWallet): number => balance - [...holds.values()].reduce((sum, { amount }) => sum + amount, 0)

const inIndia = (at_ms: number): string => new Date(at_ms + 5.5 * 3_600_000).toISOString()
const day = (at_ms: number): string => inIndia(at_ms).slice(0, 10)
const month = (at_ms: number): string => inIndia(at_ms).slice(0, 7)
const year = (at_ms: number): number => Number(inIndia(at_ms).slice(0, 4)) - (Number(inIndia(at_ms).slice(5, 7)) < 4 ? 1 : 0)

const within = (rows: readonly LimitRow[], kyc: Kyc, rule: LimitRule, at_ms: number, would: number): boolean => {
  const inForce = rows
    .filter((row) => row.kyc === kyc && row.rule === rule && row.from <= day(at_ms))
    .sort((a, b) => (a.from < b.from ? -1 : 1))
  const max = inForce.at(-1)?.max
  return max === undefined || max === null || would <= Number(max)
}

const sum = (entries: readonly { readonly amount: number }[]): number => entries.reduce((total, { amount }) => total + amount, 0)

const mayTakeIn = (rows: readonly LimitRow[], { kyc, balance, loads, pending }: PlainWallet, amount: number, at_ms: number): boolean =>
  within(rows, kyc, 'balance', at_ms, balance + sum([...pending.values()]) + amount) &&
  within(rows, kyc, 'loads-per-month', at_ms, sum(loads.filter((load) => month(load.at_ms) === month(at_ms))) + amount) &&
  within(rows, kyc, 'loads-per-year', at_ms, sum(loads.filter((load) => year(load.at_ms) === year(at_ms))) + amount)

const maySend = (rows: readonly LimitRow[], wallet: PlainWallet, to: Name, amount: number, at_ms: number): boolean => {
  const { kyc, sent, openedAt_ms } = wallet
  const thisMonth = sent.filter((each) => month(each.at_ms) === month(at_ms))
  const registered = wallet.beneficiaries.has(to)
  const before = registered ? thisMonth.filter((each) => each.registered && each.to === to) : thisMonth.filter((each) => !each.registered)
  const isEarly = (time_ms: number) => time_ms < openedAt_ms + 24 * 3_600_000
  return (
    within(rows, kyc, registered ? 'transfers-to-beneficiary-per-month' : 'transfers-to-others-per-month', at_ms, sum(before) + amount) &&
    within(rows, kyc, 'transfers-per-day', at_ms, sent.filter((each) => day(each.at_ms) === day(at_ms)).length + 1) &&
    (!isEarly(at_ms) || within(rows, kyc, 'transfers-in-first-24-hours', at_ms, sum(sent.filter((each) => isEarly(each.at_ms))) + amount))
  )
}

/** Whether the step is accepted; it then has its effect. Times of the steps must not go back. */
export const take = (wallets: PlainWallets, step: Step, rows: readonly LimitRow[]): boolean => {
  const wallet = wallets[step.on]
  const { at_ms } = step
  const spendable = !wallet.frozen && !wallet.closed
  switch (step.do) {
    case 'credit':
      if (wallet.closed || !mayTakeIn(rows, wallet, step.amount, at_ms)) return false
      wallet.balance += step.amount
      wallet.loads.push({ at_ms, amount: step.amount })
      return true
    case 'request-load': {
      if (wallet.closed || !mayTakeIn(rows, wallet, step.amount, at_ms)) return false
      const load = { at_ms, amount: step.amount }
      wallet.pending.set(step.loadId, load)
      wallet.loads.push(load)
      return true
    }
    case 'credit-load': {
      const load = wallet.pending.get(step.loadId)
      if (!load || wallet.closed) return false
      wallet.pending.delete(step.loadId)
      wallet.balance += load.amount
      return true
    }
    case 'fail-load': {
      const load = wallet.pending.get(step.loadId)
      if (!load) return false
      wallet.pending.delete(step.loadId)
      wallet.loads = wallet.loads.filter((each) => each !== load)
      return true
    }
    case 'debit':
      if (!spendable || free(wallet) < step.amount) return false
      wallet.balance -= step.amount
      return true
    case 'cash-out': {
      const inMonth = sum(wallet.cash.filter((each) => month(each.at_ms) === month(at_ms))) + step.amount
      if (!spendable || free(wallet) < step.amount) return false
      if (
        !within(rows, wallet.kyc, 'cash-out-at-once', at_ms, step.amount) ||
        !within(rows, wallet.kyc, 'cash-out-per-month', at_ms, inMonth)
      )
        return false
      wallet.balance -= step.amount
      wallet.cash.push({ at_ms, amount: step.amount })
      return true
    }
    case 'refund':
      if (!wallet.closed) wallet.balance += step.amount
      return true
    case 'hold': {
      const there = wallet.holds.get(step.holdId)
      if (there) return there.amount === step.amount
      if (!spendable || wallet.gone.has(step.holdId) || free(wallet) < step.amount) return false
      wallet.holds.set(step.holdId, { amount: step.amount, expiresAt_ms: at_ms + step.life_ms })
      return true
    }
    case 'capture': {
      const held = wallet.holds.get(step.holdId)
      if (!held || step.amount > held.amount || held.expiresAt_ms <= at_ms) return false
      end(wallet, step.holdId)
      wallet.balance -= step.amount
      return true
    }
    case 'release':
      return end(wallet, step.holdId)
    case 'expire':
      if ((wallet.holds.get(step.holdId)?.expiresAt_ms ?? Infinity) <= at_ms) end(wallet, step.holdId)
      return true
    case 'freeze':
    case 'unfreeze':
      if (wallet.closed) return false
      wallet.frozen = step.do === 'freeze'
      return true
    case 'change-kyc':
      if (wallet.closed) return false
      wallet.kyc = step.kyc
      return true
    case 'register-beneficiary':
      if (wallet.closed) return false
      wallet.beneficiaries.add(step.to)
      return true
    case 'close':
      if (wallet.closed) return true
      if (wallet.holds.size > 0 || (wallet.frozen && wallet.balance > 0)) return false
      Object.assign(wallet, { closed: true, frozen: false, balance: 0 })
      return true
    case 'transfer': {
      const to = wallets[step.to]
      if (step.on === step.to || !spendable || to.closed || free(wallet) < step.amount) return false
      if (!maySend(rows, wallet, step.to, step.amount, at_ms) || !mayTakeIn(rows, to, step.amount, at_ms)) return false
      wallet.balance -= step.amount
      to.balance += step.amount
      wallet.sent.push({ at_ms, amount: step.amount, to: step.to, registered: wallet.beneficiaries.has(step.to) })
      to.loads.push({ at_ms, amount: step.amount })
      return true
    }
  }
}

const end = (wallet: PlainWallet, holdId: string): boolean => {
  if (!wallet.holds.delete(holdId)) return false
  wallet.gone.add(holdId)
  return true
}
