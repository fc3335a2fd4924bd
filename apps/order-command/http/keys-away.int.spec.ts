import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { EventStore } from '#event-store'
import { systemClock } from '#kernel'
import { cuttable, type Cuttable } from '#postgres/testing'
import { EVENT_STORE } from '../ports.js'
import { orderRef } from '../streams.js'
import { address, airdopes, asha, merchant, placing } from '../testing/examples.js'
import { RunningApp } from '../testing/running-app.js'

/** Longer than a key is remembered. */
const LONG_MS = 60_000

let line: Cuttable
let running: RunningApp
let ahead_ms = 0
const clock = { ...systemClock, now: () => systemClock.now() + ahead_ms }

beforeAll(async () => {
  running = await RunningApp.start({}, { clock, keysBy: async (url) => (line = await cuttable(url)).url })
  await running.call('PUT', '/v1/products/BOAT-141', { as: merchant, body: airdopes })
})
afterAll(async () => {
  await running?.close()
  await line?.close()
})

const placed = async (): Promise<string> => String((await running.call('POST', '/v1/orders', placing())).body['orderId'])
const version = async (orderId: string) => (await running.app.get<EventStore>(EVENT_STORE).load(orderRef(orderId))).version

/** With the keys of persons out of reach, and none in memory. */
const away = async <T>(work: () => Promise<T>): Promise<T> => {
  ahead_ms += LONG_MS
  line.cut()
  try {
    return await work()
  } finally {
    line.mend()
  }
}

describe('while the keys of persons are away', () => {
  // Without an Idempotency-Key: whoever asks again would learn only that it cannot be cancelled any more.
  it.each([
    ['whose answer shows the address', asha, {}, { status: 'CANCELLED', shippingAddress: address }],
    ['whose answer shows a note', merchant, { reason: 'Asha rang' }, { status: 'CANCELLED', cancellation: { note: 'Asha rang' } }],
  ] as const)('a cancel %s is not done and answers 503; once they are back, it goes', async (_, as, body, shown) => {
    const orderId = await placed()
    const before = await version(orderId)
    const cancel = () => running.call('POST', `/v1/orders/${orderId}/cancel`, { as, body })
    expect(await away(cancel)).toMatchObject({ status: 503, body: { type: '/problems/unavailable' } })
    expect(await version(orderId)).toBe(before)
    expect(await cancel()).toMatchObject({ status: 200, body: shown })
    expect(await version(orderId)).toBe(before + 1)
  })

  it('an answer that shows nothing sealed needs none', async () => {
    const orderId = await placed()
    const cancelled = await away(() => running.call('POST', `/v1/orders/${orderId}/cancel`, { as: merchant, body: {} }))
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'CANCELLED' } })
  })
})
