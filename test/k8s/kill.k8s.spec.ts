import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { audit } from '../chaos/audit.js'
import { random, Shop, Traffic } from '../chaos/traffic.js'
import { baseUrl } from '../e2e/shop.js'
import { kill, readyAgain, readyPodsOf } from './pods.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud', 'front', 'provider-sandbox', 'redis', 'kafka', 'postgres']
const LANES = 4
const BETWEEN_MS = 500
const TEST_MS = 20 * 60_000

describe(`pods killed in turn while orders run (CHAOS_SEED=${SEED})`, () => {
  it(
    'nothing acknowledged is lost, nothing happens twice, every order ends, and the books add up',
    async () => {
      const shop = new Shop(baseUrl())
      const traffic = new Traffic(shop, random(SEED), `k8s-kill-${SEED}`)
      await traffic.open(3, 3)
      traffic.start(LANES)
      for (const app of APPS) {
        const pods = await readyPodsOf(app)
        expect([app, pods.length]).toEqual([app, 1])
        for (const pod of pods) await kill(pod)
        // One after the other: what is shown is that each may go, not that all may go at once.
        await readyAgain(app, pods.length)
        await wait(BETWEEN_MS)
      }
      await traffic.stop()
      expect(await audit(traffic)).toEqual([])
      expect(traffic.placed.length).toBeGreaterThan(0)
      console.log(
        `${APPS.length} kills: ${traffic.placed.length} orders, ${shop.acknowledged.length} acknowledged calls, ` +
          `${shop.unavailable} answers of 503, ${shop.disconnected} cut off`,
      )
    },
    TEST_MS,
  )
})
