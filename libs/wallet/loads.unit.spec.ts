import { describe, expect, it } from '@jest/globals'
import { isRefusal, paise } from '#kernel'
import {
  balanceOf,
  book,
  DEFAULT_LIMITS,
  evolve,
  limitsFrom,
  MAX_OPEN_LOADS,
  NO_BOOKS,
  noWallet,
  readWallet,
  statementEntry,
  walletDecider,
  writeWallet,
  type WalletCommand,
  type WalletState,
} from './index.js'

const NOVEMBER = Date.parse('2026-11-10T06:30:00.000Z')
const DECEMBER = Date.parse('2026-12-02T06:30:00.000Z')
const decider = walletDecider(limitsFrom(DEFAULT_LIMITS))

const payment = { method: 'card', instrument: { subject: 'c-1', nonce: 'n', ciphertext: 'c' }, display: 'card' } as const
const open: WalletCommand = { type: 'open', at_ms: NOVEMBER, ownerId: 'c-1', kyc: 'small' }
const request = (loadId: string, rupees: number, at_ms = NOVEMBER): WalletCommand => ({
  type: 'request-load',
  at_ms,
  loadId,
  amount: paise(rupees * 100),
  payment,
})
const credited = (loadId: string, at_ms = NOVEMBER): WalletCommand => ({ type: 'credit-load', at_ms, loadId })
const failed = (loadId: string, at_ms = NOVEMBER): WalletCommand => ({ type: 'fail-load', at_ms, loadId, reason: 'payment-declined' })
const credit = (rupees: number, at_ms = NOVEMBER): WalletCommand => ({
  type: 'credit',
  at_ms,
  entryId: 'e-1',
  amount: paise(rupees * 100),
  reference: 'r',
})
const close: WalletCommand = { type: 'close', at_ms: NOVEMBER, payoutId: 'p-1' }

const decided = (state: WalletState, command: WalletCommand) => decider.decide(command, state)
const given = (...commands: readonly WalletCommand[]): WalletState =>
  commands.reduce((state, command) => {
    const events = decided(state, command)
    if (isRefusal(events)) throw new Error(`${command.type}: ${events.slug}`)
    return events.reduce(evolve, state)
  }, noWallet)
const answer = (state: WalletState, command: WalletCommand): string => {
  const events = decided(state, command)
  return isRefusal(events) ? events.slug : events.map(({ type }) => type).join(' ')
}

describe('a load', () => {
  it('is refused by the limits before anything is paid', () => {
    expect(answer(given(open), request('l-1', 10_001))).toBe('kyc-limit-exceeded')
    expect(answer(given(open), request('l-1', 10_000))).toBe('LoadRequested')
    expect(answer(given(open), request('l-1', 0))).toBe('invalid-amount')
    expect(answer(noWallet, request('l-1', 1))).toBe('unknown-wallet')
    expect(answer(given(open, close), request('l-1', 1))).toBe('wallet-closed')
  })

  it('keeps its room from its request on: what comes in beside it is refused, and it is not', () => {
    const state = given(open, request('l-1', 6_000))
    expect([state.balance, state.loading]).toEqual([0n, 600_000n])
    expect(answer(state, credit(4_001))).toBe('kyc-limit-exceeded')
    expect(answer(state, request('l-2', 4_001))).toBe('kyc-limit-exceeded')
    const full = given(open, request('l-1', 6_000), credit(4_000))
    expect(answer(full, credited('l-1'))).toBe('LoadCredited')
    expect(given(open, request('l-1', 6_000), credit(4_000), credited('l-1'))).toMatchObject({ balance: 1_000_000n, loading: 0n })
  })

  it('counts into the month of its request, whenever it is paid, and not at all where it is not', () => {
    const paidLate = given(open, request('l-1', 6_000), credited('l-1', DECEMBER))
    expect(answer(paidLate, request('l-2', 4_000, DECEMBER))).toBe('LoadRequested')
    const notPaid = given(open, request('l-1', 6_000), failed('l-1'))
    expect(notPaid).toMatchObject({ loading: 0n, loadedInMonth: { sum: 0n }, loadedInYear: { sum: 0n } })
    expect(answer(notPaid, request('l-2', 10_000))).toBe('LoadRequested')
    // Its month is over: the next one's sum is not made smaller.
    const over = given(open, request('l-1', 6_000), credit(1_000, DECEMBER), failed('l-1', DECEMBER))
    expect(over).toMatchObject({ loadedInMonth: { sum: 100_000n }, loadedInYear: { sum: 100_000n } })
  })

  it('is credited to a frozen wallet, and to one whose kind has less room now; a closed one refuses it', () => {
    expect(answer(given(open, request('l-1', 1), { type: 'freeze', at_ms: NOVEMBER }), credited('l-1'))).toBe('LoadCredited')
    const full: WalletCommand = { ...open, kyc: 'full' } as WalletCommand
    const less = given(full, request('l-1', 50_000), { type: 'change-kyc', at_ms: NOVEMBER, kyc: 'small' })
    expect(answer(less, credited('l-1'))).toBe('LoadCredited')
    const shut = given(open, request('l-1', 1), close)
    expect(answer(shut, credited('l-1'))).toBe('wallet-closed')
    expect(answer(shut, failed('l-1'))).toBe('LoadFailed')
  })

  it('ends once', () => {
    for (const end of [credited, failed]) {
      const ended = given(open, request('l-1', 1), end('l-1'))
      expect([answer(ended, credited('l-1')), answer(ended, failed('l-1'))]).toEqual(['load-not-open', 'load-not-open'])
      expect(answer(ended, { type: 'redirect-load', at_ms: NOVEMBER, loadId: 'l-1', next: { kind: 'redirect', url: 'u' } })).toBe('')
    }
  })

  it(`is one of at most ${MAX_OPEN_LOADS} at once`, () => {
    const many = given(open, ...Array.from({ length: MAX_OPEN_LOADS }, (_, nth) => request(`l-${nth}`, 1)))
    expect(answer(many, request('one more', 1))).toBe('limit-exceeded')
    expect(readWallet(writeWallet(many))).toEqual(many)
  })

  it('is owed by the provider until it settles, and a line of the statement', () => {
    const events = decided(given(open, request('l-1', 6)), credited('l-1'))
    if (isRefusal(events)) throw new Error(events.slug)
    const books = events.reduce(book, NO_BOOKS)
    expect([balanceOf(books['provider-clearing']), balanceOf(books.wallets)]).toEqual([-600n, 600n])
    expect(events.map(statementEntry)).toMatchObject([{ entryId: 'l-1', type: 'load', amount: 600n, balance: 600n, reference: 'l-1' }])
  })
})
