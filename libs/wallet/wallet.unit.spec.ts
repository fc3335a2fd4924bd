import { describe, expect, it } from '@jest/globals'
import { fold, isRefusal, paise, refuse } from '#kernel'
import {
  audit,
  available,
  balanceOf,
  book,
  DEFAULT_LIMITS,
  decideTransfer,
  evolve,
  limitsFrom,
  NO_BOOKS,
  noWallet,
  ownerDecider,
  readWallet,
  statementEntry,
  walletDecider,
  writeWallet,
  type Kyc,
  type Transfer,
  type WalletCommand,
  type WalletEvent,
  type WalletState,
} from './index.js'

const NOON = Date.parse('2026-11-10T06:30:00.000Z')
const DAY = 86_400_000
const limitsAt = limitsFrom(DEFAULT_LIMITS)
const decider = walletDecider(limitsAt)

/** A wallet after commands that must all be accepted. */
const apply = (from: WalletState, ...commands: readonly WalletCommand[]): WalletState =>
  commands.reduce((state, command) => {
    const decided = decider.decide(command, state)
    if (isRefusal(decided)) throw new Error(`${command.type}: ${decided.slug} ${decided.detail}`)
    return decided.reduce(evolve, state)
  }, from)
const given = (...commands: readonly WalletCommand[]): WalletState => apply(noWallet, ...commands)

const when = (state: WalletState, command: WalletCommand): readonly WalletEvent[] | string => {
  const decided = decider.decide(command, state)
  return isRefusal(decided) ? decided.slug : decided
}
const types = (decided: readonly WalletEvent[] | string) => (typeof decided === 'string' ? decided : decided.map(({ type }) => type))

const open = (kyc: Kyc = 'full', at_ms = NOON): WalletCommand => ({ type: 'open', at_ms, ownerId: 'c-1', kyc })
const credit = (rupees: number, at_ms = NOON): WalletCommand => ({
  type: 'credit',
  at_ms,
  entryId: 'e-1',
  amount: paise(rupees * 100),
  reference: 'r',
})
const debit = (rupees: number): WalletCommand => ({
  type: 'debit',
  at_ms: NOON,
  entryId: 'e-2',
  amount: paise(rupees * 100),
  reference: 'r',
})
const cash = (rupees: number, at_ms = NOON): WalletCommand => ({
  type: 'cash-out',
  at_ms,
  entryId: 'e-3',
  amount: paise(rupees * 100),
  reference: 'r',
})
const hold = (
  holdId: string,
  rupees: number,
  more: { expiresAt_ms?: number; madeBy?: 'sub:c-1' | 'saga:s-1'; customerId?: string } = {},
): WalletCommand => ({
  type: 'hold',
  at_ms: NOON,
  holdId,
  amount: paise(rupees * 100),
  reference: 'o-1',
  madeBy: 'sub:c-1',
  ...more,
})
const refund = (rupees: number): WalletCommand => ({
  type: 'refund',
  at_ms: NOON,
  entryId: 'e-3',
  payoutId: 'e-4',
  amount: paise(rupees * 100),
  reference: 'o-1',
})
const capture = (holdId: string, rupees?: number, by: 'sub:c-1' | 'saga:s-1' | 'admin' = 'sub:c-1'): WalletCommand => ({
  type: 'capture',
  at_ms: NOON,
  holdId,
  by,
  ...(rupees === undefined ? {} : { amount: paise(rupees * 100) }),
})
const release = (holdId: string, by: 'sub:c-1' | 'saga:s-1' | 'admin' = 'sub:c-1'): WalletCommand => ({
  type: 'release',
  at_ms: NOON,
  holdId,
  by,
})
const freeze: WalletCommand = { type: 'freeze', at_ms: NOON }
const close: WalletCommand = { type: 'close', at_ms: NOON, payoutId: 'p-1' }

describe('money in and out', () => {
  it('says in each event what it moved, against which account, and what is there after it', () => {
    const [credited] = when(given(open()), credit(100))
    expect(credited).toEqual({
      type: 'Credited',
      data: {
        at_ms: NOON,
        ownerId: 'c-1',
        balance: '10000',
        held: '0',
        status: 'OPEN',
        amount: '10000',
        account: 'escrow',
        entryId: 'e-1',
        reference: 'r',
      },
    })
    expect(types(when(given(open(), credit(100)), debit(100)))).toEqual(['Debited'])
  })

  it('spends only what is available, and says no figure of it when it refuses', () => {
    expect(when(given(open(), credit(100)), debit(100.01))).toBe('insufficient-funds')
    expect(when(given(open(), credit(100), hold('h', 60)), debit(41))).toBe('insufficient-funds')
    expect(when(noWallet, debit(1))).toBe('unknown-wallet')
    const refused = decider.decide(debit(123), given(open(), credit(77)))
    expect(isRefusal(refused) && refused.detail).not.toMatch(/[0-9]/)
  })

  it('takes no amount that is not above zero', () => {
    const state = given(open(), credit(100))
    for (const rupees of [0, -5]) {
      expect(when(state, credit(rupees))).toBe('invalid-amount')
      expect(when(state, debit(rupees))).toBe('invalid-amount')
      expect(when(state, hold('h', rupees))).toBe('invalid-amount')
      expect(when(state, refund(rupees))).toBe('invalid-amount')
    }
  })
})

describe('limits', () => {
  it('bounds a small wallet by balance, month and financial year, by the Indian calendar', () => {
    expect(when(given(open('small')), credit(10_000.01))).toBe('kyc-limit-exceeded')
    const spent = given(open('small'), credit(10_000), debit(10_000))
    expect(when(spent, credit(1))).toBe('kyc-limit-exceeded')
    const lastOfNovember = Date.parse('2026-11-30T18:29:59.999Z')
    expect(when(spent, credit(1, lastOfNovember))).toBe('kyc-limit-exceeded')
    expect(types(when(spent, credit(1, lastOfNovember + 1)))).toEqual(['Credited'])
  })

  it('bounds what a small wallet loads from April to March', () => {
    const rows = DEFAULT_LIMITS.filter(({ rule }) => rule !== 'loads-per-month')
    const yearly = walletDecider(limitsFrom(rows))
    let state = given(open('small'))
    for (let load = 0; load < 12; load++) {
      for (const command of [credit(10_000), debit(10_000)]) {
        const decided = yearly.decide(command, state)
        if (isRefusal(decided)) throw new Error(decided.slug)
        state = decided.reduce(evolve, state)
      }
    }
    const at = (time: string) => yearly.decide(credit(1, Date.parse(time)), state)
    expect(at('2027-03-31T18:29:59.999Z')).toMatchObject({ slug: 'kyc-limit-exceeded' })
    expect(isRefusal(at('2027-03-31T18:30:00.000Z'))).toBe(false)
  })

  it('never refuses a refund, and does not count it', () => {
    const state = given(open('small'), credit(10_000), debit(10_000), refund(10_000), refund(5_000))
    expect(available(state)).toBe(1_500_000n)
    const nextMonth = NOON + 30 * DAY
    expect(types(when(given(open('small'), refund(9_000)), credit(1_000, nextMonth)))).toEqual(['Credited'])
  })

  it('takes the newest row that is in force that day', () => {
    const from = (day: string, max: string | null) => ({ kyc: 'small' as const, rule: 'balance' as const, from: day, max, source: 'test' })
    const rows = limitsFrom([from('2026-12-01', null), from('2020-01-01', '100'), from('2026-11-01', '200')])
    const on = (time: string) => rows('small', Date.parse(time)).balance
    expect([on('2026-10-31T18:29:59Z'), on('2026-10-31T18:30:00Z'), on('2026-12-31T00:00:00Z')]).toEqual([100n, 200n, undefined])
  })
})

describe('cash', () => {
  const DECEMBER = Date.parse('2026-12-01T00:00:00.000+05:30')

  it('is paid up to 2,000 at once and 10,000 in a month of India, by the wallet’s own sum', () => {
    const rich = given(open(), credit(50_000))
    expect(when(rich, cash(2_000.01))).toBe('limit-exceeded')
    expect(types(when(rich, cash(2_000)))).toEqual(['CashedOut'])
    const spent = apply(rich, cash(2_000), cash(2_000), cash(2_000), cash(2_000), cash(1_500))
    expect(when(spent, cash(500.01))).toBe('limit-exceeded')
    const gone = apply(spent, cash(500))
    expect(when(gone, cash(0.01))).toBe('limit-exceeded')
    expect(when(gone, cash(0.01, DECEMBER - 1))).toBe('limit-exceeded')
    expect(types(when(gone, cash(2_000, DECEMBER)))).toEqual(['CashedOut'])
    // Other debits do not count, and are not bound by it.
    expect(types(when(gone, debit(20_000)))).toEqual(['Debited'])
    expect(gone.balance).toBe(4_000_000n)
  })

  it('is for wallets of full KYC alone, and never more than there is', () => {
    expect(when(given(open('small'), credit(100)), cash(1))).toBe('kyc-limit-exceeded')
    expect(when(given(open(), credit(100)), cash(101))).toBe('insufficient-funds')
    expect(when(given(open(), credit(100), { type: 'freeze', at_ms: NOON }), cash(1))).toBe('wallet-frozen')
  })

  it('is bound by the row that is in force that day', () => {
    const row = (from: string, max: string) => ({ kyc: 'full' as const, rule: 'cash-out-at-once' as const, from, max, source: 's' })
    const changing = walletDecider(limitsFrom([row('2021-08-27', '100'), row('2026-12-01', '200')]))
    const state = given(open(), credit(100))
    const decided = (at_ms: number) => changing.decide(cash(2, at_ms), state)
    expect(decided(DECEMBER - 1)).toMatchObject({ slug: 'limit-exceeded' })
    expect(decided(DECEMBER)).toMatchObject([{ type: 'CashedOut' }])
  })
})

describe('holds', () => {
  it('sets money aside, takes it, and gives back the rest of a partial capture', () => {
    const held = given(open(), credit(100), hold('h', 60))
    expect([held.balance, available(held)]).toEqual([10_000n, 4_000n])
    expect([given(open(), credit(100), hold('h', 60), capture('h')).balance]).toEqual([4_000n])
    const partly = given(open(), credit(100), hold('h', 60), capture('h', 20))
    expect([partly.balance, partly.held]).toEqual([8_000n, 0n])
    expect(when(held, capture('h', 61))).toBe('insufficient-funds')
  })

  it('ends a hold once', () => {
    const captured = given(open(), credit(100), hold('h', 60), capture('h'))
    expect(when(captured, capture('h'))).toBe('hold-not-open')
    expect(when(captured, release('h'))).toBe('hold-not-open')
    expect(when(captured, hold('h', 60))).toBe('hold-not-open')
    expect(when(captured, capture('h-2'))).toBe('unknown-hold')
  })

  it('lets only its maker and an admin end it', () => {
    const state = given(open(), credit(100), hold('mine', 10), hold('saga', 10, { madeBy: 'saga:s-1' }))
    expect(when(state, release('saga'))).toBe('not-hold-maker')
    expect(when(state, capture('saga'))).toBe('not-hold-maker')
    expect(when(state, capture('mine', undefined, 'saga:s-1'))).toBe('hold-not-open')
    expect(types(when(state, release('saga', 'saga:s-1')))).toEqual(['HoldReleased'])
    expect(types(when(state, release('mine', 'admin')))).toEqual(['HoldReleased'])
  })

  it('releases an expired hold, and no other', () => {
    const state = given(open(), credit(100), hold('h', 60, { expiresAt_ms: NOON + 1_000 }), hold('i', 10))
    const expire = (holdId: string, at_ms: number) => types(when(state, { type: 'expire', at_ms, holdId }))
    expect([expire('h', NOON + 999), expire('h', NOON + 1_000), expire('i', NOON + DAY), expire('x', NOON)]).toEqual([
      [],
      ['HoldReleased'],
      [],
      [],
    ])
    expect(when(state, { ...capture('h'), at_ms: NOON + 1_000 })).toBe('hold-not-open')
  })

  it('answers a saga that asks again as it was answered before', () => {
    const funds = given(open(), credit(100), hold('h', 60, { madeBy: 'saga:s-1' }))
    expect(when(funds, hold('h', 60, { madeBy: 'saga:s-1' }))).toEqual([])
    const captured = given(open(), credit(100), hold('h', 60, { madeBy: 'saga:s-1' }), capture('h', undefined, 'saga:s-1'))
    expect(when(captured, capture('h', undefined, 'saga:s-1'))).toEqual([])
    expect(when(captured, release('h', 'saga:s-1'))).toBe('hold-not-open')
    const released = given(open(), credit(100), hold('h', 60, { madeBy: 'saga:s-1' }), release('h', 'saga:s-1'))
    expect(when(released, release('h', 'saga:s-1'))).toEqual([])
    expect(when(released, capture('h', undefined, 'saga:s-1'))).toBe('hold-not-open')
  })

  it('refuses a hold that comes after its release', () => {
    const barred = given(open(), credit(100), release('h', 'saga:s-1'))
    expect(when(barred, hold('h', 60, { madeBy: 'saga:s-1' }))).toBe('hold-not-open')
    expect(when(barred, capture('h', undefined, 'saga:s-1'))).toBe('hold-not-open')
    expect(when(barred, release('h', 'saga:s-1'))).toEqual([])
  })

  it("holds only the customer's own money", () => {
    const state = given(open(), credit(100))
    expect(when(state, hold('h', 10, { madeBy: 'saga:s-1', customerId: 'c-2' }))).toBe('not-owner')
    expect(types(when(state, hold('h', 10, { madeBy: 'saga:s-1', customerId: 'c-1' })))).toEqual(['FundsHeld'])
  })

  it('keeps its state small over ten thousand holds', () => {
    let state = given(open(), credit(100))
    for (let count = 0; count < 10_000; count++) {
      state = apply(state, hold(`h-${count}`, 1), release(`h-${count}`))
    }
    expect(JSON.stringify(writeWallet(state)).length).toBeLessThan(10_000)
  })
})

describe('status', () => {
  it('frozen: nothing new goes out, what is under way goes on, and money comes in', () => {
    const state = given(open(), credit(100), hold('h', 10), hold('i', 10), freeze)
    expect([when(state, debit(1)), when(state, hold('j', 1))]).toEqual(['wallet-frozen', 'wallet-frozen'])
    expect([capture('h'), release('i'), credit(1), refund(1)].map((command) => types(when(state, command)))).toEqual([
      ['HoldCaptured'],
      ['HoldReleased'],
      ['Credited'],
      ['Refunded'],
    ])
    expect(when(state, freeze)).toEqual([])
    expect(types(when(state, { type: 'unfreeze', at_ms: NOON }))).toEqual(['WalletUnfrozen'])
  })

  it('closed: pays out what is left, takes nothing new, and passes refunds on to the owner', () => {
    expect(when(given(open(), credit(100), hold('h', 10)), close)).toBe('invalid-transition')
    expect(types(when(given(open(), credit(100)), close))).toEqual(['WalletClosed', 'PaidOut'])
    expect(types(when(given(open()), close))).toEqual(['WalletClosed'])
    expect(when(given(open(), credit(100), freeze), close)).toBe('wallet-frozen')
    const state = given(open(), credit(100), close, refund(7))
    expect([state.status, state.balance]).toEqual(['CLOSED', 0n])
    expect([when(state, credit(1)), when(state, debit(1)), when(state, hold('h', 1)), when(state, freeze)]).toEqual(
      Array(4).fill('wallet-closed'),
    )
    expect(when(state, close)).toEqual([])
  })

  it('changes the kind of wallet', () => {
    const full = given(open('small'), { type: 'change-kyc', at_ms: NOON, kyc: 'full' })
    expect(types(when(full, credit(2_00_000)))).toEqual(['Credited'])
    expect(when(full, { type: 'change-kyc', at_ms: NOON, kyc: 'full' })).toEqual([])
  })
})

describe('transfers', () => {
  const old = NOON - 2 * DAY
  const transfer = (rupees: number, more: Partial<Transfer> = {}): Transfer => ({
    at_ms: NOON,
    transferId: 't-1',
    fromWalletId: 'a',
    toWalletId: 'b',
    amount: paise(rupees * 100),
    reference: 'r',
    ...more,
  })
  const slug = (from: WalletState, to: WalletState, rupees: number, more: Partial<Transfer> = {}) => {
    const decided = decideTransfer(transfer(rupees, more), from, to, limitsAt)
    return isRefusal(decided) ? decided.slug : 'ok'
  }
  const from = given(open('full', old), credit(1_00_000))
  const to = given(open('full', old))

  it('moves both sides by the same amount, through an account that stays at zero', () => {
    const decided = decideTransfer(transfer(50), from, to, limitsAt)
    if (isRefusal(decided)) throw new Error(decided.slug)
    expect(decided.out[0]?.data).toMatchObject({ amount: '5000', account: 'transfers', counterparty: 'b', balance: '9995000' })
    expect(decided.in[0]?.data).toMatchObject({ amount: '5000', account: 'transfers', counterparty: 'a', balance: '5000' })
  })

  it('lets more go to a registered beneficiary than to others', () => {
    const known = apply(from, { type: 'register-beneficiary', at_ms: NOON, walletId: 'b' })
    expect([slug(from, to, 10_000), slug(from, to, 10_000.01), slug(known, to, 50_000)]).toEqual(['ok', 'limit-exceeded', 'ok'])
  })

  it('counts a day and bounds the first day of a wallet', () => {
    let sender = from
    for (let count = 0; count < 20; count++) {
      const decided = decideTransfer(transfer(1), sender, to, limitsAt)
      if (isRefusal(decided)) throw new Error(decided.slug)
      sender = decided.out.reduce(evolve, sender)
    }
    expect([slug(sender, to, 1), slug(sender, to, 1, { at_ms: NOON + DAY })]).toEqual(['limit-exceeded', 'ok'])
    const fresh = given(open(), credit(20_000))
    expect([slug(fresh, to, 5_000), slug(fresh, to, 5_000.01)]).toEqual(['ok', 'limit-exceeded'])
  })

  it('is refused for the status or the kind of either wallet', () => {
    const small = given(open('small', old), credit(100))
    const brimful = given(open('full', old), credit(2_00_000))
    const frozen = given(open('full', old), credit(100), freeze)
    const shut = given(open('full', old), close)
    expect(slug(small, to, 1)).toBe('kyc-limit-exceeded')
    expect([slug(frozen, to, 1), slug(from, frozen, 1), slug(noWallet, to, 1)]).toEqual(['wallet-frozen', 'ok', 'unknown-wallet'])
    expect([slug(from, given(open('small')), 10_001, { at_ms: NOON }), slug(to, from, 1)]).toEqual(['limit-exceeded', 'insufficient-funds'])
    expect(slug(from, from, 1, { toWalletId: 'a' })).toBe('same-wallet')
    // Of the receiving wallet a refusal says nothing, in its slug or its words; nor is it looked at before the sender could pay.
    const told = [noWallet, shut, brimful].map((receiver) => decideTransfer(transfer(1), from, receiver, limitsAt))
    expect(told).toEqual(Array(3).fill(refuse('recipient-unavailable', 'the receiving wallet cannot take this transfer')))
    expect(slug(to, shut, 1)).toBe('insufficient-funds')
  })
})

describe('records', () => {
  it('has one open wallet an owner', () => {
    const one = fold(ownerDecider, [{ type: 'WalletAssigned', data: { walletId: 'a', at_ms: NOON } }])
    expect(ownerDecider.decide({ type: 'assign', walletId: 'b', at_ms: NOON }, one)).toMatchObject({
      slug: 'wallet-exists',
      kind: 'conflict',
    })
    const none = fold(ownerDecider, [{ type: 'WalletGivenUp', data: { walletId: 'a', at_ms: NOON } }], one)
    expect(none).toEqual({ walletId: null, closedWalletId: 'a' })
    expect(isRefusal(ownerDecider.decide({ type: 'assign', walletId: 'b', at_ms: NOON }, none))).toBe(false)
  })

  it('finds an event whose balance is not the sum of the amounts', () => {
    const events = [open(), credit(100), debit(10)].reduce<WalletEvent[]>((all, command) => {
      const decided = decider.decide(command, fold(decider, all))
      return isRefusal(decided) ? all : [...all, ...decided]
    }, [])
    expect(audit(events).wrongAt).toBeUndefined()
    const forged = events.map((event) => (event.type === 'Credited' ? { ...event, data: { ...event.data, amount: '99999' } } : event))
    expect(audit(forged).wrongAt).toBe(2)
    expect(events.map(statementEntry).map((entry) => entry?.balance)).toEqual([undefined, 10_000n, 9_000n])
  })

  it('books each movement on both sides', () => {
    const done = [open(), credit(100), hold('h', 30), capture('h', 20), refund(5), debit(10), close].reduce<WalletEvent[]>(
      (all, command) => {
        const decided = decider.decide(command, fold(decider, all))
        if (isRefusal(decided)) throw new Error(decided.slug)
        return [...all, ...decided]
      },
      [],
    )
    const { wallets, escrow, transfers, ...rest } = done.reduce(book, NO_BOOKS)
    expect(wallets).toEqual({ debits: 10_500n, credits: 10_500n })
    expect(escrow).toEqual({ debits: 10_000n, credits: 1_000n })
    expect(transfers).toEqual({ debits: 0n, credits: 0n })
    expect(rest).toEqual({
      'provider-clearing': { debits: 0n, credits: 0n },
      'merchant-payable': { debits: 500n, credits: 2_000n },
      'owner-payable': { debits: 0n, credits: 7_500n },
    })
    expect(balanceOf(escrow)).toBe(-9_000n)
  })

  it('survives its own snapshot', () => {
    const state = given(
      open(),
      credit(100),
      hold('h', 5, { expiresAt_ms: NOON + 1 }),
      hold('i', 5),
      release('i'),
      release('z', 'saga:s-1'),
      {
        type: 'register-beneficiary',
        at_ms: NOON,
        walletId: 'b',
      },
    )
    const json = writeWallet(state)
    expect(writeWallet(readWallet(JSON.parse(JSON.stringify(json)) as typeof json))).toEqual(json)
  })
})
