import { lucksOf } from './books.js'
import type { LoadWorld } from './load-play.js'
import { FAULTS } from './provider-faults.js'

const WAYS: readonly LoadWorld[] = [
  { method: 'upi', flow: 'collect' },
  { method: 'upi', flow: 'intent' },
  { method: 'card' },
  { method: 'netbanking' },
]
const AROUND: readonly Partial<LoadWorld>[] = [{}, { meanwhile: 'closed' }, { meanwhile: 'frozen' }, { meanwhile: 'filled' }]

/** Every way to pay for a load x every outcome at the provider x what becomes of the wallet meanwhile, with and without webhooks. */
export const loadMatrix = (): readonly LoadWorld[] =>
  WAYS.flatMap((way) =>
    lucksOf(way.method).flatMap((luck) =>
      AROUND.flatMap((around): LoadWorld[] => [
        { ...way, ...around, luck },
        { ...way, ...around, luck, webhooks: true },
      ]),
    ),
  )

/** What goes wrong at the provider with a load's money: each call x each way to fail x every way to pay that leads to it. */
export const loadFaults = (): readonly LoadWorld[] =>
  WAYS.flatMap((way) => usesOf(way))
    .flatMap(([of, world]) => FAULTS.map((is): LoadWorld => ({ ...world, fault: { of, is } })))
    .flatMap((world): LoadWorld[] => [world, { ...world, webhooks: true }])

/** Another amount than was asked for is undone, and so is what was paid too late or for a wallet that was closed. */
const usesOf = (way: LoadWorld): readonly (readonly ['capture' | 'void' | 'refund', LoadWorld])[] => {
  const closed = ['refund', { ...way, meanwhile: 'closed' }] as const
  const another = { ...way, takes: '49970' }
  if (way.method === 'card') return [['capture', way], ['void', another], closed]
  return [['refund', another], ['refund', { ...way, luck: 'late' }], closed]
}
