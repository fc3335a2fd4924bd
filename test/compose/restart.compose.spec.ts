import { describe, expect, it } from '@jest/globals'
import { restartInTurn } from '../chaos/in-turn.js'
import { containersOf, restartUntilReady } from './containers.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const PER_SECOND = Number(process.env['ORDERS_PER_SECOND'] ?? 50)
const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const CUSTOMERS = 200
const TEST_MS = 20 * 60_000

describe(`every app restarted in turn at ${PER_SECOND} orders a second (CHAOS_SEED=${SEED})`, () => {
  it(
    'no request fails but with a 503 that may be sent again, every saga ends, and the books add up',
    () =>
      restartInTurn({
        runId: `restart-${SEED}`,
        seed: SEED,
        perSecond: PER_SECOND,
        customers: CUSTOMERS,
        names: APPS,
        turn: async (app) => {
          const replicas = await containersOf(app)
          expect([app, replicas.length]).toEqual([app, 2])
          const ready_ms: number[] = []
          for (const id of replicas) ready_ms.push(await restartUntilReady(id))
          console.log(`${app}: ready ${ready_ms.map((ms) => `${(ms / 1_000).toFixed(1)} s`).join(' and ')} after its start`)
        },
      }),
    TEST_MS,
  )
})
