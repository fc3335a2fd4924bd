import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { audit } from '../chaos/audit.js'
import { random, Shop, Traffic } from '../chaos/traffic.js'
import { baseUrl } from '../e2e/shop.js'
import { containersOf, healthy, killAndStart } from './containers.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const REPLICATED = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const LONE = ['front', 'provider-sandbox', 'gateway', 'redis', 'kafka', 'postgres']
/** Enough that something is always under way; more would only keep what was killed from coming back. */
const LANES = 2
const BETWEEN_MS = 500
const TEST_MS = 15 * 60_000

describe(`containers killed in turn while orders run (CHAOS_SEED=${SEED})`, () => {
  it(
    'nothing acknowledged is lost, nothing happens twice, every order ends, and the books add up',
    async () => {
      const shop = new Shop(baseUrl())
      const traffic = new Traffic(shop, random(SEED), `compose-${SEED}`)
      await traffic.open(3, 3)
      traffic.start(LANES)
      for (const service of [...REPLICATED, ...LONE]) {
        const replicas = await containersOf(service)
        expect([service, replicas.length]).toEqual([service, REPLICATED.includes(service) ? 2 : 1])
        const [victim] = replicas
        if (victim === undefined) throw new Error(`${service} does not run`)
        await killAndStart(victim)
        // One after the other: what is shown is that each may go, not that all may go at once.
        await healthy(victim)
        await wait(BETWEEN_MS)
      }
      for (const service of [...REPLICATED, ...LONE]) for (const id of await containersOf(service)) await healthy(id)
      await traffic.stop()
      expect(await audit(traffic)).toEqual([])
      expect(traffic.placed.length).toBeGreaterThan(0)
      console.log(
        `${REPLICATED.length + LONE.length} kills: ${traffic.placed.length} orders, ${shop.acknowledged.length} acknowledged calls, ` +
          `${shop.unavailable} answers of 503, ${shop.disconnected} cut off`,
      )
    },
    TEST_MS,
  )
})
