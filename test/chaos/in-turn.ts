import { setTimeout as wait } from 'node:timers/promises'
import { expect } from '@jest/globals'
import { baseUrl } from '../e2e/shop.js'
import { audit } from './audit.js'
import { random, Shop, Traffic } from './traffic.js'

interface Turns {
  readonly runId: string
  readonly seed: number
  readonly names: readonly string[]
  /** Resolves when this one is back; then the next has its turn. */
  readonly turn: (name: string) => Promise<void>
}

/** One after the other: what is shown is that each may go, not that all may go at once. */
const BETWEEN_MS = 500

/** Each is killed in turn while `lanes` clients go on: nothing acknowledged is lost, every order ends, and the books add up. */
export const killInTurn = async ({
  runId,
  seed,
  names,
  turn,
  lanes,
  settled,
}: Turns & { lanes: number; settled?: () => Promise<void> }) => {
  const shop = new Shop(baseUrl())
  const traffic = new Traffic(shop, random(seed), runId)
  await traffic.open(3, 3)
  traffic.start(lanes)
  for (const name of names) {
    await turn(name)
    await wait(BETWEEN_MS)
  }
  await settled?.()
  await traffic.stop()
  expect(await audit(traffic)).toEqual([])
  expect(traffic.placed.length).toBeGreaterThan(0)
  console.log(
    `${names.length} kills: ${traffic.placed.length} orders, ${shop.acknowledged.length} acknowledged calls, ` +
      `${shop.unavailable} answers of 503, ${shop.disconnected} cut off`,
  )
}

/** Each is restarted in turn under so many orders a second: no request fails but with a 503 that may be sent again, and the books add up. */
export const restartInTurn = async ({
  runId,
  seed,
  names,
  turn,
  perSecond,
  customers,
}: Turns & { perSecond: number; customers: number }) => {
  const shop = new Shop(baseUrl())
  const traffic = new Traffic(shop, random(seed), runId)
  await traffic.open(customers, 20, 1_000)
  const began = performance.now()
  traffic.pace(perSecond)
  for (const name of names) await turn(name)
  const seconds = (performance.now() - began) / 1_000
  await traffic.stop()
  console.log(
    `${names.length} apps restarted in ${seconds.toFixed(0)} s: ${traffic.placed.length} orders, ${shop.unavailable} answers of 503 sent again`,
  )
  expect(shop.disconnected).toBe(0)
  // Fewer were another, lighter test.
  expect(traffic.placed.length / seconds).toBeGreaterThanOrEqual(0.9 * perSecond)
  expect(await audit(traffic)).toEqual([])
}
