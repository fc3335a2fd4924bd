import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, expect, it } from '@jest/globals'
import { Shop } from '../chaos/traffic.js'
import { baseUrl, makeProduct } from '../e2e/shop.js'
import { kubectl, readyAgain } from './pods.js'

const APP = 'order-query'
const MOST = 3
const LANES = 32
const UP_MS = 5 * 60_000
const DOWN_MS = 8 * 60_000

/** Nothing but how many there may be, and how long it waits before it takes one away: five minutes in the base. */
const scaler = (most: number): Promise<string> => {
  const scaleDown = { stabilizationWindowSeconds: 15, policies: [{ type: 'Pods', value: 1, periodSeconds: 15 }] }
  return kubectl(['patch', 'hpa', APP, '--patch', JSON.stringify({ spec: { maxReplicas: most, behavior: { scaleDown } } })])
}
afterAll(() => scaler(1))

it(
  `a scaler goes from one pod to ${MOST} under load and back, and no request fails meanwhile`,
  async () => {
    const sku = await makeProduct()
    await readyAgain(APP, 1)
    const shop = new Shop(baseUrl())
    await scaler(MOST)
    const load = new AbortController()
    let answered = 0
    const lane = async (): Promise<void> => {
      while (!load.signal.aborted) {
        await shop.get(`/v1/products/${sku}`)
        answered++
      }
    }
    const lanes = Promise.all(Array.from({ length: LANES }, lane))
    try {
      await Promise.race([readyAgain(APP, MOST, [], UP_MS), lanes])
      console.log(`${MOST} pods ready, by ${await kubectl(['get', 'hpa', APP, '--no-headers'])}`)
    } finally {
      load.abort()
    }
    await lanes
    // One request now and then, so that what leaves has something to leave well.
    const until = Date.now() + DOWN_MS
    while ((await kubectl(['get', 'deployment', APP, '-o', 'jsonpath={.status.replicas}'])) !== '1') {
      if (Date.now() > until) throw new Error(`still not one pod: ${await kubectl(['get', 'hpa', APP, '--no-headers'])}`)
      await shop.get(`/v1/products/${sku}`)
      await wait(500)
    }
    await readyAgain(APP, 1)
    console.log(`${answered} reads, ${shop.unavailable} answers of 503 sent again, ${shop.disconnected} cut off`)
    expect(shop.wrong).toEqual([])
    expect(shop.disconnected).toBe(0)
  },
  UP_MS + DOWN_MS + 120_000,
)
