import { describe, expect, it } from '@jest/globals'
import { isRefusal } from '#kernel'
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
  type WalletEvent,
  type WalletState,
} from './index.js'
import {
  aimed,
  commandOf,
  free,
  LOW_LIMITS,
  NAMES,
  OPENED_AS,
  plainWallets,
  take,
  transferOf,
  WALKS_BEGIN_MS,
  waves,
  type Name,
  type Step,
} from './testing/index.js'

const limitsAt = limitsFrom(LOW_LIMITS)
const decider = walletDecider(limitsAt)

describe('wallets against a plain model', () => {
  it('accepts and refuses the same, within every limit, and every rupee is accounted for', () => {
    const seen = new Map<string, number>()
    const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
    fc.assert(
      fc.property(waves({ minWaves: 5, maxWaves: 60, maxSteps: 1 }), (steps) => {
        const plain = plainWallets(WALKS_BEGIN_MS)
        const events: Record<Name, WalletEvent[]> = { a: [], b: [], c: [] }
        const states: Record<Name, WalletState> = { a: noWallet, b: noWallet, c: noWallet }
        const apply = (name: Name, decided: readonly WalletEvent[]) => {
          events[name].push(...decided)
          states[name] = decided.reduce(evolve, states[name])
        }
        for (const name of NAMES) {
          const opened = decider.decide({ type: 'open', at_ms: WALKS_BEGIN_MS, ownerId: name, kyc: OPENED_AS[name] }, noWallet)
          if (!isRefusal(opened)) apply(name, opened)
        }
        /** Why not, or undefined where the step was taken. */
        const run = (step: Step, id: string): string | undefined => {
          if (step.do === 'transfer') {
            const decided = decideTransfer(transferOf(step, id, String), states[step.on], states[step.to], limitsAt)
            if (isRefusal(decided)) return `${decided.slug}: ${decided.detail}`
            apply(step.on, decided.out)
            apply(step.to, decided.in)
            return undefined
          }
          const decided = decider.decide(commandOf(step, id, String), states[step.on])
          if (isRefusal(decided)) return `${decided.slug}: ${decided.detail}`
          apply(step.on, decided)
          return undefined
        }
        steps.flat().forEach((step, index) => {
          const each = aimed(plain, step)
          const expected = take(plain, each, LOW_LIMITS)
          const refused = run(each, `e-${index}`)
          expect([index, each.do, refused === undefined]).toEqual([index, each.do, expected])
          count(refused === undefined ? each.do : `${each.do} ${refused}`)
        })
        for (const name of NAMES) {
          const state = states[name]
          expect(Number(state.balance)).toBe(plain[name].balance)
          expect(Number(available(state))).toBe(free(plain[name]))
          expect(Number(state.loading)).toBe([...plain[name].pending.values()].reduce((all, { amount }) => all + amount, 0))
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
      { numRuns: 300 },
    )
    // The walks are worth something only if each command was taken, and each limit met, often.
    const often = [
      'credit',
      'request-load',
      'credit-load',
      'fail-load',
      'debit',
      'cash-out',
      'refund',
      'hold',
      'capture',
      'release',
      'expire',
      'freeze',
      'unfreeze',
      'close',
      'change-kyc',
    ]
    const limits = [
      'request-load kyc-limit-exceeded',
      'credit kyc-limit-exceeded: the balance would be',
      'credit kyc-limit-exceeded: more than may be loaded in a month',
      'credit kyc-limit-exceeded: more than may be loaded in a financial year',
      'transfer kyc-limit-exceeded: this kind of wallet',
      'transfer limit-exceeded: at most',
      'transfer limit-exceeded: no more transfers today',
      'transfer limit-exceeded: more than a new wallet',
      'transfer recipient-unavailable',
      'cash-out kyc-limit-exceeded: this kind of wallet gives no cash',
      'cash-out limit-exceeded: more than is paid in cash at once',
      'cash-out limit-exceeded: more than is paid in cash in a month',
    ]
    const times = (what: string) => [...seen].reduce((sum, [each, count]) => (each.startsWith(what) ? sum + count : sum), 0)
    expect([...often, 'register-beneficiary', 'transfer', ...limits].map((what) => [what, times(what) > 3])).toEqual(
      [...often, 'register-beneficiary', 'transfer', ...limits].map((what) => [what, true]),
    )
  })
})
