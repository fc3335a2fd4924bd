import { describe, expect, it } from '@jest/globals'
import { isRefusal, paise } from '#kernel'
import fc from 'fast-check'
import {
  audit,
  available,
  balanceOf,
  book,
  decideTransfer,
  evolve,
  limitsFrom,
  NO_BOOKS,
  noWallet,
  readWallet,
  walletDecider,
  writeWallet,
  type WalletCommand,
  type WalletEvent,
  type WalletState,
} from './index.js'

/** The same rules as plain as they can be said: two numbers and a list of holds a wallet. No limits here: they have tests of their own. */
interface Plain {
  balance: number
  frozen: boolean
  closed: boolean
  holds: Map<string, number>
  gone: Set<string>
}

const limitsAt = limitsFrom([])
const decider = walletDecider(limitsAt)
const NAMES = ['a', 'b', 'c'] as const
type Name = (typeof NAMES)[number]

type Step =
  | { do: 'credit' | 'debit' | 'refund'; on: Name; amount: number }
  | { do: 'hold'; on: Name; amount: number; holdId: string }
  | { do: 'capture'; on: Name; amount: number; holdId: string }
  | { do: 'release'; on: Name; holdId: string }
  | { do: 'freeze' | 'unfreeze' | 'close'; on: Name }
  | { do: 'transfer'; on: Name; to: Name; amount: number }

const on = fc.constantFrom(...NAMES)
const amount = fc.integer({ min: 1, max: 300 })
const small = fc.integer({ min: 1, max: 60 })
const holdId = fc.integer({ min: 1, max: 8 }).map((n) => `h${n}`)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('credit'), on, amount }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('debit', 'refund'), on, amount: small }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('hold'), on, amount, holdId }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('capture'), on, amount: small, holdId }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('release'), on, holdId }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('freeze', 'unfreeze', 'unfreeze'), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), on }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('transfer'), on, to: on, amount }) },
)

const free = (wallet: Plain) => wallet.balance - [...wallet.holds.values()].reduce((sum, held) => sum + held, 0)

/** What the plain model says: whether it is accepted, and the effect. */
const model = (wallets: Record<Name, Plain>, step: Step): boolean => {
  const wallet = wallets[step.on]
  const spendable = !wallet.frozen && !wallet.closed
  switch (step.do) {
    case 'credit':
      if (wallet.closed) return false
      wallet.balance += step.amount
      return true
    case 'debit':
      if (!spendable || free(wallet) < step.amount) return false
      wallet.balance -= step.amount
      return true
    case 'refund':
      if (!wallet.closed) wallet.balance += step.amount
      return true
    case 'hold':
      if (wallet.holds.has(step.holdId)) return wallet.holds.get(step.holdId) === step.amount
      if (!spendable || wallet.gone.has(step.holdId) || free(wallet) < step.amount) return false
      wallet.holds.set(step.holdId, step.amount)
      return true
    case 'capture': {
      const held = wallet.holds.get(step.holdId)
      if (held === undefined || step.amount > held) return false
      wallet.holds.delete(step.holdId)
      wallet.gone.add(step.holdId)
      wallet.balance -= step.amount
      return true
    }
    case 'release':
      if (!wallet.holds.delete(step.holdId)) return false
      wallet.gone.add(step.holdId)
      return true
    case 'freeze':
    case 'unfreeze':
      if (wallet.closed) return false
      wallet.frozen = step.do === 'freeze'
      return true
    case 'close':
      if (wallet.closed) return true
      if (wallet.holds.size > 0 || (wallet.frozen && wallet.balance > 0)) return false
      Object.assign(wallet, { closed: true, balance: 0 })
      return true
    case 'transfer': {
      const to = wallets[step.to]
      if (step.on === step.to || !spendable || to.closed || free(wallet) < step.amount) return false
      wallet.balance -= step.amount
      to.balance += step.amount
      return true
    }
  }
}

/** Half of the captures and releases go to a hold that is open, where there is one: blind ones seldom hit. */
const aimed = (wallet: Plain, step: Step): Step => {
  if (step.do !== 'capture' && step.do !== 'release') return step
  const open = [...wallet.holds.keys()]
  const pick = Number(step.holdId.slice(1))
  const holdId = pick % 2 === 0 ? open[pick % Math.max(1, open.length)] : undefined
  return holdId === undefined ? step : { ...step, holdId }
}

const commandOf = (step: Exclude<Step, { do: 'transfer' }>, at_ms: number): WalletCommand => {
  const id = `e-${at_ms}`
  const by = { madeBy: 'sub:c-1', by: 'sub:c-1' } as const
  switch (step.do) {
    case 'credit':
    case 'debit':
      return { type: step.do, at_ms, entryId: id, amount: paise(step.amount), reference: 'r' }
    case 'refund':
      return { type: 'refund', at_ms, entryId: id, payoutId: `p-${at_ms}`, amount: paise(step.amount), reference: 'r' }
    case 'hold':
      return { type: 'hold', at_ms, holdId: step.holdId, amount: paise(step.amount), reference: 'r', madeBy: by.madeBy }
    case 'capture':
      return { type: 'capture', at_ms, holdId: step.holdId, amount: paise(step.amount), by: by.by }
    case 'release':
      return { type: 'release', at_ms, holdId: step.holdId, by: by.by }
    case 'close':
      return { type: 'close', at_ms, payoutId: `p-${at_ms}` }
    default:
      return { type: step.do, at_ms }
  }
}

describe('wallets against a plain model', () => {
  it('accepts and refuses the same, and every rupee is accounted for', () => {
    const accepted = new Map<string, number>()
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), (steps) => {
        const plain = Object.fromEntries(
          NAMES.map((name) => [name, { balance: 0, frozen: false, closed: false, holds: new Map(), gone: new Set() }]),
        ) as unknown as Record<Name, Plain>
        const events: Record<Name, WalletEvent[]> = { a: [], b: [], c: [] }
        const states: Record<Name, WalletState> = { a: noWallet, b: noWallet, c: noWallet }
        const apply = (name: Name, decided: readonly WalletEvent[]) => {
          events[name].push(...decided)
          states[name] = decided.reduce(evolve, states[name])
        }
        for (const name of NAMES) {
          const opened = decider.decide({ type: 'open', at_ms: 0, ownerId: name, kyc: 'full' }, noWallet)
          if (!isRefusal(opened)) apply(name, opened)
        }
        steps.forEach((drawn, index) => {
          const each = aimed(plain[drawn.on], drawn)
          const expected = model(plain, each)
          let took = true
          if (each.do === 'transfer') {
            const transfer = {
              at_ms: index,
              transferId: `t-${index}`,
              fromWalletId: each.on,
              toWalletId: each.to,
              amount: paise(each.amount),
              reference: 'r',
            }
            const decided = decideTransfer(transfer, states[each.on], states[each.to], limitsAt)
            took = !isRefusal(decided)
            if (!isRefusal(decided)) {
              apply(each.on, decided.out)
              apply(each.to, decided.in)
            }
          } else {
            const decided = decider.decide(commandOf(each, index), states[each.on])
            took = !isRefusal(decided)
            if (!isRefusal(decided)) apply(each.on, decided)
          }
          expect([index, each.do, took]).toEqual([index, each.do, expected])
          if (took) accepted.set(each.do, (accepted.get(each.do) ?? 0) + 1)
        })
        for (const name of NAMES) {
          const state = states[name]
          expect(Number(state.balance)).toBe(plain[name].balance)
          expect(Number(available(state))).toBe(free(plain[name]))
          expect(available(state) >= 0n).toBe(true)
          expect(audit(events[name]).wrongAt).toBeUndefined()
          // balance = fold(events) = snapshot + tail, wherever the snapshot was taken
          const half = Math.floor(events[name].length / 2)
          const snapshot = writeWallet(audit(events[name].slice(0, half)).state)
          expect(writeWallet(audit(events[name].slice(half), readWallet(snapshot)).state)).toEqual(writeWallet(state))
        }
        const books = NAMES.flatMap((name) => events[name]).reduce(book, NO_BOOKS)
        expect(Object.values(books).reduce((sum, each) => sum + balanceOf(each), 0n)).toBe(0n)
        expect(balanceOf(books.transfers)).toBe(0n)
        expect(balanceOf(books.wallets)).toBe(states.a.balance + states.b.balance + states.c.balance)
      }),
      { numRuns: 500 },
    )
    // The walk is worth something only if each command was taken often.
    for (const command of ['credit', 'debit', 'refund', 'hold', 'capture', 'release', 'freeze', 'unfreeze', 'close', 'transfer']) {
      expect([command, (accepted.get(command) ?? 0) > 50]).toEqual([command, true])
    }
  })
})
