import { describe, expect, it } from '@jest/globals'
import { FakeClock, memoryTransactions } from '#kernel/testing'
import { Consumer, encodeMessage } from '#messaging'
import { MemoryBroker, MemoryConsumerStore, memoryLog } from '#messaging/testing'
import fc from 'fast-check'
import { setImmediate } from 'node:timers/promises'
import { backoff_ms } from './backoff.js'

const by = (draw: number) => ({ next: () => draw })
/** What `Random` answers: from 0 on, below 1. */
const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const attempts = fc.integer({ min: 1, max: 5_000 })
const bounds = fc
  .tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 0, max: 600_000 }))
  .map(([first_ms, more_ms]) => ({ first_ms, most_ms: first_ms + more_ms }))

describe('backoff', () => {
  it('lies in the upper half of the first pause doubled with each attempt, and never above the most', () => {
    fc.assert(
      fc.property(attempts, draws, bounds, (attempt, draw, { first_ms, most_ms }) => {
        let full_ms = first_ms
        for (let n = 1; n < attempt && full_ms < most_ms; n++) full_ms = Math.min(most_ms, full_ms * 2)
        const pause_ms = backoff_ms(attempt, by(draw), first_ms, most_ms)
        expect(Number.isInteger(pause_ms)).toBe(true)
        expect(pause_ms).toBeGreaterThanOrEqual(full_ms / 2)
        expect(pause_ms).toBeLessThanOrEqual(full_ms)
      }),
    )
  })

  it('grows with the attempts, and spreads what failed together over the half', () => {
    fc.assert(
      fc.property(attempts, attempts, draws, bounds, (one, other, draw, { first_ms, most_ms }) => {
        const of = (attempt: number, by_: number) => backoff_ms(attempt, by(by_), first_ms, most_ms)
        expect(of(Math.min(one, other), draw)).toBeLessThanOrEqual(of(Math.max(one, other), draw))
        const [least_ms, longest_ms] = [of(one, 0), of(one, 0.999_999)]
        expect(longest_ms).toBeGreaterThanOrEqual(2 * least_ms - 2)
      }),
    )
  })
})

describe('a message that keeps failing', () => {
  it('is due again after the first pause, doubled with each attempt', async () => {
    const clock = new FakeClock()
    const driver = memoryLog(new MemoryBroker(), { clock })
    await driver.ensureTopics([{ name: 'said', partitions: 1, retention_ms: 86_400_000 }])
    const triedAt: number[] = []
    const consumer = new Consumer(
      {
        driver,
        group: 'readers',
        transactions: memoryTransactions(),
        consumerStore: new MemoryConsumerStore(),
        clock,
        // The middle of the half.
        random: by(0.5),
        firstRetry_ms: 1_000,
        mostRetry_ms: 3_000,
        maxAttempts: 5,
        deferredPoll_ms: 60_000,
      },
      new Map([['said', () => (triedAt.push(clock.now()), Promise.reject(new Error('ill')))]]),
    )
    await consumer.start()
    const context = { correlationId: 'c', causationId: 'c' }
    const origin = { incarnation: 'one', position: 1n, ordinal: 0 }
    const record = encodeMessage(
      { topic: 'said', key: 'k', type: 'Said', schemaVersion: 1, data: {}, context },
      'speaker',
      clock.now(),
      origin,
    )
    await (await driver.producer()).send([record])
    // Everything is in memory: what can be done without time passing is done in a few turns.
    for (let step = 0; step < 200 && triedAt.length < 5; step++) {
      for (let turn = 0; turn < 20; turn++) await setImmediate()
      clock.advance(Math.min(100, Math.max(0, (clock.nextWake() ?? clock.now()) - clock.now())))
    }
    expect(triedAt.map((at, n) => at - (triedAt[n - 1] ?? at))).toEqual([0, 750, 1_500, 2_250, 2_250])
    await consumer.close()
  })
})
