import { describe, expect, it } from '@jest/globals'
import { FakeClock, memoryTransactions, seededRandom } from '#kernel/testing'
import { MemoryBroker, memoryLog, MemoryConsumerStore } from '#messaging/testing'
import { encodeMessage } from '../cloud-events.js'
import { DependencyUnavailable } from '../failure.js'
import { ConsumptionBreaker, type BatchEnd } from './breaker.js'
import { Consumer } from './consumer.js'

const { signal } = new AbortController()

const breakerOf = () => {
  const clock = new FakeClock()
  const states: string[] = []
  const breaker = new ConsumptionBreaker(clock, seededRandom(1), (state) => void states.push(state))
  const run = (end: BatchEnd, times = 1) => Array.from({ length: times }, () => breaker.begin()(end))
  return { clock, states, breaker, run }
}

describe('the breaker of a topic', () => {
  it('opens after five failures in a row; a success between them counts from none, a lost fence does not count', () => {
    const { breaker, run, states } = breakerOf()
    run('failed', 4)
    run('succeeded')
    run('failed', 4)
    run('unknown', 9)
    expect([breaker.state, breaker.ready(signal)]).toEqual(['closed', undefined])
    run('failed')
    expect([breaker.state, breaker.holds]).toEqual(['open', true])
    expect(breaker.ready(signal)).toBeInstanceOf(Promise)
    expect(states).toEqual(['open'])
  })

  it('lets one batch probe after a pause that grows with each failed probe up to five seconds; success lets all go on', async () => {
    const { breaker, clock, run } = breakerOf()
    const late = breaker.begin()
    run('failed', 5)
    const pauses: number[] = []
    for (let probe = 0; probe < 12; probe++) {
      const began = clock.now()
      while (breaker.holds) clock.advance(1)
      pauses.push(clock.now() - began)
      expect(breaker.ready(signal)).toBeUndefined()
      const ended = breaker.begin()
      const other = breaker.ready(signal)
      expect(other).toBeInstanceOf(Promise)
      run('succeeded')
      if (probe === 0) late('succeeded')
      expect(breaker.state).toBe('half-open')
      ended(probe < 11 ? 'failed' : 'succeeded')
      if (probe === 11) await other
    }
    expect(breaker.state).toBe('closed')
    expect(pauses[0]).toBeLessThanOrEqual(200)
    for (const [n, pause] of pauses.slice(0, 5).entries()) {
      expect([pause >= 100 * 2 ** n, pause <= 200 * 2 ** n]).toEqual([true, true])
    }
    for (const pause of pauses.slice(6)) expect([pause >= 2_500, pause <= 5_000]).toEqual([true, true])
  })

  it('lets another probe where the first showed nothing, and holds nobody whose lane ends', async () => {
    const { breaker, clock, run } = breakerOf()
    run('failed', 5)
    const gone = new AbortController()
    const ends = breaker.ready(gone.signal)
    gone.abort()
    await ends
    clock.advance(200)
    const ended = breaker.begin()
    const next = breaker.ready(signal)
    ended('unknown')
    await next
    expect([breaker.state, breaker.ready(signal)]).toEqual(['open', undefined])
    run('succeeded')
    expect(breaker.state).toBe('closed')
  })
})

describe('a dependency that is away for 60 s', () => {
  it('is asked a bounded number of times, nothing is parked or put aside, and all is handled within 6 s of its coming back', async () => {
    const clock = new FakeClock()
    const random = seededRandom(7)
    const driver = memoryLog(new MemoryBroker(), { clock, random })
    const topic = 'said'
    await driver.ensureTopics([{ name: topic, partitions: 6, retention_ms: 86_400_000 }])
    const backAt = clock.now() + 60_000
    const aside: unknown[] = []
    const handled = new Set<string>()
    let calls = 0
    const consumerStore = new MemoryConsumerStore()
    const consumer = new Consumer(
      {
        driver,
        group: 'readers',
        transactions: memoryTransactions(),
        consumerStore,
        clock,
        random,
        maxAttempts: 2,
        listener: { onDeferred: (each) => void aside.push(each), onParked: (each) => void aside.push(each) },
      },
      new Map([
        [
          topic,
          (messages) => {
            if (clock.now() < backAt) {
              calls++
              return Promise.reject(new DependencyUnavailable('away'))
            }
            return Promise.resolve(() => {
              for (const { key } of messages) handled.add(key)
              return Promise.resolve()
            })
          },
        ],
      ]),
    )
    await consumer.start()
    const records = Array.from({ length: 60 }, (_, n) =>
      encodeMessage(
        { topic, key: `k${n}`, type: 'Said', schemaVersion: 1, data: {}, context: { correlationId: 'c', causationId: 'c' } },
        'speaker',
        clock.now(),
        { incarnation: 'one', position: BigInt(n + 1), ordinal: 0 },
      ),
    )
    await (await driver.producer()).send(records)
    const settle = async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    for (let step = 0; step < 700 && handled.size < 60; step++) {
      await settle()
      clock.advance(100)
    }
    expect(handled.size).toBe(60)
    expect(clock.now() - backAt).toBeLessThanOrEqual(6_000)
    expect(aside).toEqual([])
    // Five and what else was under way opened it; then about seven probes up to the longest pause, and one each 2.5 s to 5 s.
    expect([calls >= 10, calls <= 10 + 7 + 24]).toEqual([true, true])
    await consumer.close()
  })
})
