import { describe, expect, it } from '@jest/globals'
import { killInTurn } from '../chaos/in-turn.js'
import { baseUrl } from '../e2e/shop.js'
import { containersOf, docker, healthy, killAndStart, outputOf, untilReady } from './containers.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const REPLICATED = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const SERVICES = [...REPLICATED, 'front', 'provider-sandbox', 'gateway', 'redis', 'kafka', 'postgres']
/** Enough that something is always under way; more would only keep what was killed from coming back. */
const LANES = 2
const TEST_MS = 15 * 60_000

describe(`containers killed in turn while orders run (CHAOS_SEED=${SEED})`, () => {
  it(
    'nothing acknowledged is lost, nothing happens twice, every order ends, and the books add up',
    () =>
      killInTurn({
        runId: `compose-${SEED}`,
        seed: SEED,
        lanes: LANES,
        names: SERVICES,
        turn: async (service) => {
          const replicas = await containersOf(service)
          expect([service, replicas.length]).toEqual([service, REPLICATED.includes(service) ? 2 : 1])
          const [victim] = replicas
          if (victim === undefined) throw new Error(`${service} does not run`)
          await killAndStart(victim)
          await untilReady(victim)
        },
        settled: async () => {
          for (const service of SERVICES) for (const id of await containersOf(service)) await healthy(id)
        },
      }),
    TEST_MS,
  )

  it(
    'the gateway says what failed, and of nobody whose it was',
    async () => {
      const [gateway = '', front = ''] = [...(await containersOf('gateway')), ...(await containersOf('front'))]
      await docker('kill', '--signal', 'KILL', front)
      try {
        const { status } = await fetch(`${baseUrl()}/v1/nothing?phone=9876543210`, { signal: AbortSignal.timeout(30_000) })
        expect(status).toBe(503)
      } finally {
        await docker('start', front)
      }
      await untilReady(front)
      const output = await outputOf(gateway)
      expect(output).toMatch(/"path":"\/v1\/nothing","status":503/)
      // Of all that it was asked while the others were killed, too.
      expect(output.match(/.*(client: |request: "|9876543210).*/g)).toBeNull()
    },
    TEST_MS,
  )
})
