import type { LoadWorld } from './load-play.js'

const WAYS: readonly LoadWorld[] = [
  { method: 'upi', flow: 'collect' },
  { method: 'upi', flow: 'intent' },
  { method: 'card' },
  { method: 'netbanking' },
]
const LUCKS = ['success', 'slow', 'lost', 'decline', 'timeout', 'late'] as const
const AROUND: readonly Partial<LoadWorld>[] = [{}, { meanwhile: 'closed' }, { meanwhile: 'frozen' }, { meanwhile: 'filled' }]

/** Every way to pay for a load x every outcome at the provider x what becomes of the wallet meanwhile, with and without webhooks. */
export const loadMatrix = (): readonly LoadWorld[] =>
  WAYS.flatMap((way) =>
    LUCKS.flatMap((luck) =>
      AROUND.flatMap((around): LoadWorld[] => [
        { ...way, ...around, luck },
        { ...way, ...around, luck, webhooks: true },
      ]),
    ),
  )
