import { describe, it } from '@jest/globals'
import { restartInTurn } from '../chaos/in-turn.js'
import { kubectl } from './pods.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const PER_SECOND = Number(process.env['ORDERS_PER_SECOND'] ?? 20)
const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const CUSTOMERS = 100
const TEST_MS = 20 * 60_000

describe(`every app rolled in turn at ${PER_SECOND} orders a second (CHAOS_SEED=${SEED})`, () => {
  it(
    'no request fails but with a 503 that may be sent again, every saga ends, and the books add up',
    () =>
      restartInTurn({
        runId: `k8s-roll-${SEED}`,
        seed: SEED,
        perSecond: PER_SECOND,
        customers: CUSTOMERS,
        names: APPS,
        turn: async (app) => {
          const start = performance.now()
          await kubectl(['rollout', 'restart', `deployment/${app}`])
          await kubectl(['rollout', 'status', `deployment/${app}`, '--timeout=240s'])
          console.log(`${app}: rolled in ${((performance.now() - start) / 1_000).toFixed(1)} s`)
        },
      }),
    TEST_MS,
  )
})
