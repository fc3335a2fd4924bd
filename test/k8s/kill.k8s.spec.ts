import { describe, it } from '@jest/globals'
import { killInTurn } from '../chaos/in-turn.js'
import { kill, readyAgain } from './pods.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud', 'front', 'provider-sandbox', 'redis', 'kafka', 'postgres']
const LANES = 4
const TEST_MS = 20 * 60_000

describe(`pods killed in turn while orders run (CHAOS_SEED=${SEED})`, () => {
  it(
    'nothing acknowledged is lost, nothing happens twice, every order ends, and the books add up',
    () =>
      killInTurn({
        runId: `k8s-kill-${SEED}`,
        seed: SEED,
        lanes: LANES,
        names: APPS,
        turn: async (app) => {
          // One that is killed beside it may leave it not ready for a moment; each goes by itself.
          for (const pod of await readyAgain(app, 1)) await kill(pod)
          await readyAgain(app, 1)
        },
      }),
    TEST_MS,
  )
})
