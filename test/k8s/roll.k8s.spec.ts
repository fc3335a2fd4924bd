import { describe, expect, it } from '@jest/globals'
import { audit } from '../chaos/audit.js'
import { random, Shop, Traffic } from '../chaos/traffic.js'
import { baseUrl } from '../e2e/shop.js'
import { kubectl } from './pods.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const PER_SECOND = Number(process.env['ORDERS_PER_SECOND'] ?? 20)
const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const CUSTOMERS = 100
const TEST_MS = 20 * 60_000

describe(`every app rolled in turn at ${PER_SECOND} orders a second (CHAOS_SEED=${SEED})`, () => {
  it(
    'no request fails but with a 503 that may be sent again, every saga ends, and the books add up',
    async () => {
      const shop = new Shop(baseUrl())
      const traffic = new Traffic(shop, random(SEED), `k8s-roll-${SEED}`)
      await traffic.open(CUSTOMERS, 20, 1_000)
      const began = performance.now()
      traffic.pace(PER_SECOND)
      for (const app of APPS) {
        const start = performance.now()
        await kubectl(['rollout', 'restart', `deployment/${app}`])
        await kubectl(['rollout', 'status', `deployment/${app}`, '--timeout=240s'])
        console.log(`${app}: rolled in ${((performance.now() - start) / 1_000).toFixed(1)} s`)
      }
      await traffic.stop()
      const seconds = (performance.now() - began) / 1_000
      console.log(
        `${APPS.length} apps rolled in ${seconds.toFixed(0)} s: ${traffic.placed.length} orders, ${shop.unavailable} answers of 503 sent again`,
      )
      expect(shop.disconnected).toBe(0)
      expect(traffic.placed.length).toBeGreaterThan(PER_SECOND)
      expect(await audit(traffic)).toEqual([])
    },
    TEST_MS,
  )
})
