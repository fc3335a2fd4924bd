import { paise } from '#kernel'
import fc from 'fast-check'
import type { WalletCommand } from '../commands.js'
import type { Transfer } from '../transfer.js'
import { NAMES, type Name, type PlainWallets, type Step } from './plain-wallets.js'

/** When the walks begin: an evening in India of a day that is yet to come in UTC, shortly before a month ends. */
export const WALKS_BEGIN_MS = Date.parse('2026-11-29T19:00:00.000Z')

const PAYMENT = { method: 'card', instrument: { subject: 'c-1', nonce: 'n', ciphertext: 'c' }, display: 'card' } as const
const HOUR_MS = 3_600_000
const on = fc.constantFrom(...NAMES)
/** Mostly two wallets; seldom one with itself. */
const pairs = fc.constantFrom<readonly [Name, Name]>(
  ['a', 'b'],
  ['a', 'b'],
  ['b', 'a'],
  ['b', 'a'],
  ['a', 'c'],
  ['b', 'c'],
  ['c', 'a'],
  ['a', 'a'],
)
const amount = fc.integer({ min: 1, max: 300 })
const small = fc.integer({ min: 1, max: 60 })
const middling = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 110 }) },
  { weight: 1, arbitrary: fc.integer({ min: 80, max: 220 }) },
)
const holdId = fc.integer({ min: 1, max: 8 }).map((n) => `h${n}`)
const loadId = fc.integer({ min: 1, max: 8 }).map((n) => `l${n}`)
const life_ms = fc.constantFrom(HOUR_MS, 20 * HOUR_MS, 24 * 400 * HOUR_MS)
const kyc = fc.constantFrom('small' as const, 'full' as const, 'full' as const)

/** Mostly at once, sometimes hours, seldom weeks later. */
const pause_ms = fc.oneof(
  { weight: 10, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 10 * HOUR_MS }) },
  { weight: 2, arbitrary: fc.integer({ min: 24 * HOUR_MS, max: 24 * 50 * HOUR_MS }) },
)

type Drawn = Step extends infer Each ? (Each extends Step ? Omit<Each, 'at_ms'> : never) : never

const drawn: fc.Arbitrary<Drawn> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ do: fc.constant('credit' as const), on, amount }) },
  { weight: 16, arbitrary: fc.record({ do: fc.constant('request-load' as const), on, amount, loadId: fc.constant('') }) },
  { weight: 16, arbitrary: fc.record({ do: fc.constantFrom('credit-load' as const, 'fail-load' as const), on, loadId }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('debit' as const, 'refund' as const), on, amount: small }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('cash-out' as const), on, amount: small }) },
  { weight: 14, arbitrary: fc.record({ do: fc.constant('hold' as const), on, amount, holdId, life_ms }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('capture' as const), on, amount: small, holdId }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'expire' as const), on, holdId }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('freeze' as const, 'unfreeze' as const, 'unfreeze' as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('change-kyc' as const), on, kyc }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('register-beneficiary' as const), on, to: on }) },
  {
    weight: 40,
    arbitrary: pairs.chain(([on, to]) =>
      fc.record({ do: fc.constant('transfer' as const), on: fc.constant(on), to: fc.constant(to), amount: middling }),
    ),
  },
)

/** Waves of steps: those of a wave are at the same time, a wave is never before the one before it. */
export const waves = (bounds: {
  readonly minWaves: number
  readonly maxWaves: number
  readonly maxSteps: number
}): fc.Arbitrary<readonly (readonly Step[])[]> =>
  fc
    .array(fc.tuple(pause_ms, fc.array(drawn, { minLength: 1, maxLength: bounds.maxSteps, size: 'max' })), {
      minLength: bounds.minWaves,
      maxLength: bounds.maxWaves,
      size: 'max',
    })
    .map((all) => {
      let at_ms = WALKS_BEGIN_MS
      let loads = 0
      return all.map(([pause, steps]) => {
        at_ms += pause
        return steps.map((step) => (step.do === 'request-load' ? { ...step, at_ms, loadId: `load-${++loads}` } : { ...step, at_ms }))
      })
    })

/** Most captures, releases, expiries and ends of loads go to one that is open, where there is one: blind ones seldom hit. */
export const aimed = (wallets: PlainWallets, step: Step): Step => {
  if (step.do === 'credit-load' || step.do === 'fail-load') {
    const loadId = aim([...wallets[step.on].pending.keys()], step.loadId)
    return loadId === undefined ? step : { ...step, loadId }
  }
  if (step.do !== 'capture' && step.do !== 'release' && step.do !== 'expire') return step
  const holdId = aim([...wallets[step.on].holds.keys()], step.holdId)
  return holdId === undefined ? step : { ...step, holdId }
}

const aim = (open: readonly string[], drawn: string): string | undefined => {
  const pick = Number(drawn.slice(1))
  return pick % 4 !== 0 ? open[pick % Math.max(1, open.length)] : undefined
}

/** What the step asks of one wallet; `id` names what it makes. */
export const commandOf = (step: Exclude<Step, { do: 'transfer' }>, id: string, idOf: (name: Name) => string): WalletCommand => {
  const { at_ms } = step
  const maker = 'sub:c-1' as const
  switch (step.do) {
    case 'credit':
    case 'debit':
    case 'cash-out':
      return { type: step.do, at_ms, entryId: id, amount: paise(step.amount), reference: 'r' }
    case 'refund':
      return { type: 'refund', at_ms, entryId: id, payoutId: `${id}-out`, amount: paise(step.amount), reference: 'r' }
    case 'request-load':
      return { type: 'request-load', at_ms, loadId: step.loadId, amount: paise(step.amount), payment: PAYMENT }
    case 'credit-load':
      return { type: 'credit-load', at_ms, loadId: step.loadId }
    case 'fail-load':
      return { type: 'fail-load', at_ms, loadId: step.loadId, reason: 'payment-declined' }
    case 'hold': {
      const { holdId, life_ms } = step
      return { type: 'hold', at_ms, holdId, amount: paise(step.amount), reference: 'r', madeBy: maker, expiresAt_ms: at_ms + life_ms }
    }
    case 'capture':
      return { type: 'capture', at_ms, holdId: step.holdId, amount: paise(step.amount), by: maker }
    case 'release':
      return { type: 'release', at_ms, holdId: step.holdId, by: maker }
    case 'expire':
      return { type: 'expire', at_ms, holdId: step.holdId }
    case 'close':
      return { type: 'close', at_ms, payoutId: id }
    case 'change-kyc':
      return { type: 'change-kyc', at_ms, kyc: step.kyc }
    case 'register-beneficiary':
      return { type: 'register-beneficiary', at_ms, walletId: idOf(step.to) }
    default:
      return { type: step.do, at_ms }
  }
}

export const transferOf = (step: Extract<Step, { do: 'transfer' }>, id: string, idOf: (name: Name) => string): Transfer => ({
  at_ms: step.at_ms,
  transferId: id,
  fromWalletId: idOf(step.on),
  toWalletId: idOf(step.to),
  amount: paise(step.amount),
  reference: 'r',
})
