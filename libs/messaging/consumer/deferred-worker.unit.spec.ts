import { afterEach, describe, expect, it } from '@jest/globals'
import type { IncomingMessage } from '#kernel'
import { FakeClock, memoryTransactions, seededRandom } from '#kernel/testing'
import { Consumer, DependencyUnavailable, encodeMessage, noEffect, type BatchHandler, type ConsumerOptions } from '#messaging'
import { MemoryBroker, MemoryConsumerStore, memoryLog } from '#messaging/testing'

const CONTEXT = { correlationId: 'c', causationId: 'c' }
const closers: (() => Promise<unknown>)[] = []

/** A group of these topics, and a clock that is moved by hand. */
const groupOf = async (
  handlers: Readonly<Record<string, BatchHandler>>,
  { consumerStore = new MemoryConsumerStore(), ...more }: Partial<ConsumerOptions> & { readonly consumerStore?: MemoryConsumerStore } = {},
) => {
  const clock = new FakeClock()
  const random = seededRandom(3)
  const driver = memoryLog(new MemoryBroker(), { clock, random })
  await driver.ensureTopics(Object.keys(handlers).map((name) => ({ name, partitions: 2, retention_ms: 86_400_000 })))
  const consumer = new Consumer(
    { driver, group: 'readers', transactions: memoryTransactions(), consumerStore, clock, random, deferredPoll_ms: 3_600_000, ...more },
    new Map(Object.entries(handlers)),
  )
  await consumer.start()
  const producer = await driver.producer()
  let position = 0n
  const send = (topic: string, ...keys: readonly string[]) =>
    producer.send(
      keys.map((key) => {
        const message = { topic, key, type: 'Said', schemaVersion: 1, data: {}, context: CONTEXT }
        return encodeMessage(message, 'speaker', clock.now(), { incarnation: 'one', position: ++position, ordinal: 0 })
      }),
    )
  /** Everything is in memory: what can be done without time passing is done in a few turns. */
  const pass = async (time_ms: number) => {
    for (const until = clock.now() + time_ms; ;) {
      for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve))
      if (clock.now() >= until) return
      clock.advance(Math.min(until, clock.nextWake() ?? until) - clock.now())
    }
  }
  closers.push(() => Promise.all([consumer.close(1), pass(10)]))
  return { clock, consumer, consumerStore, send, pass }
}

/** Fails each message once, so that it is put aside, and then does as `retry` does. */
const aside = (retry: (message: IncomingMessage) => Promise<unknown>): BatchHandler => {
  const seen = new Set<string>()
  return async (messages) => {
    for (const message of messages) {
      const name = `${message.key}${message.offset}`
      if (!seen.has(name)) {
        if (messages.length === 1) seen.add(name)
        throw new TypeError('ill')
      }
      await retry(message)
    }
    return () => Promise.resolve()
  }
}

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

describe('messages of two topics that are put aside', () => {
  it('wait for no handler of the other topic, however long it takes', async () => {
    const handled: string[] = []
    const { send, pass, consumerStore } = await groupOf(
      {
        slow: aside(() => new Promise(() => undefined)),
        quick: aside(({ key }) => Promise.resolve(void handled.push(key))),
        poison: () => Promise.reject(new TypeError('ill')),
      },
      { maxAttempts: 2 },
    )
    await send('slow', 's1', 's2')
    await pass(1_000)
    await send('quick', 'q1', 'q2')
    await send('poison', 'p')
    await pass(2_000)
    expect(handled.toSorted()).toEqual(['q1', 'q2'])
    expect(consumerStore.parked().map(({ record }) => record.key)).toEqual(['p'])
    expect((await consumerStore.aside('readers')).filter(({ topic }) => topic !== 'poison')).toMatchObject([{ topic: 'slow' }])
    // Of the dead letter the log was told too.
    expect(await consumerStore.unpublished('readers', 1)).toEqual([])
  })
})

describe('a handler that does not end', () => {
  it('is waited for no longer than a minute by others of its topic; its own key waits until it ends, and what it did counts', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const runs: string[] = []
    let running = 0
    let most = 0
    const { send, pass, consumerStore } = await groupOf({
      said: aside(async ({ key, offset }) => {
        runs.push(key)
        if (key !== 'hangs') return
        most = Math.max(most, ++running)
        if (offset === 0n) await gate
        running--
      }),
    })
    await send('said', 'hangs', 'hangs')
    await pass(1_000)
    await send('said', 'other')
    await pass(58_000)
    expect(runs).toEqual(['hangs'])
    await pass(12_000)
    expect(runs).toEqual(['hangs', 'other'])
    await pass(600_000)
    expect(runs).toEqual(['hangs', 'other'])
    open()
    await pass(20_000)
    expect(runs).toEqual(['hangs', 'other', 'hangs'])
    expect([most, consumerStore.waiting, consumerStore.parked()]).toEqual([1, 0, []])
  })
})

describe('a dependency that is away while messages are put aside', () => {
  it('is asked a bounded number of times, opens the breaker, counts no try, and all are handled soon after it is back', async () => {
    const keys = Array.from({ length: 40 }, (_, n) => `k${n}`)
    const handled = new Set<string>()
    const states: string[] = []
    let away = true
    let calls = 0
    const { send, pass, consumerStore } = await groupOf(
      {
        said: aside(({ key }) => {
          calls++
          return away ? Promise.reject(new DependencyUnavailable('away')) : Promise.resolve(handled.add(key))
        }),
      },
      { maxAttempts: 2, listener: { onBreaker: ({ state }) => void states.push(state) } },
    )
    await send('said', ...keys)
    await pass(300_000)
    // Five open the breaker; then about six probes up to the longest pause, and one each 2.5 s to 5 s.
    expect([calls >= 60, calls <= 5 + 6 + 120]).toEqual([true, true])
    expect(states.slice(0, 2)).toEqual(['open', 'half-open'])
    const due = await consumerStore.due(
      'readers',
      [0, 1].map((partition) => ({ topic: 'said', partition })),
      Number.MAX_SAFE_INTEGER,
      64,
    )
    expect(due.map(({ attempts }) => attempts)).toEqual(keys.map(() => 1))
    away = false
    await pass(15_000)
    expect(handled.size).toBe(40)
    expect([states.at(-1), consumerStore.waiting, consumerStore.parked()]).toEqual(['closed', 0, []])
  })

  it('is asked after a pause that grows to ten seconds', async () => {
    const askedAt: number[] = []
    const group = await groupOf({
      said: aside(() => {
        askedAt.push(group.clock.now())
        return Promise.reject(new DependencyUnavailable('away'))
      }),
    })
    await group.send('said', 'k')
    await group.pass(60_000)
    const pauses = askedAt.map((at, n) => at - (askedAt[n - 1] ?? at)).slice(1)
    for (const [n, pause] of pauses.slice(0, 4).entries()) expect([n, pause >= 250 * 2 ** n]).toEqual([n, true])
    for (const pause of pauses.slice(6)) expect([pause >= 5_000, pause <= 15_000]).toEqual([true, true])
    expect(pauses.length).toBeGreaterThan(7)
  })
})

describe('a breaker that opens while the worker looks', () => {
  it('keeps its topic from nothing but this look', async () => {
    let away = false
    let look = () => Promise.resolve()
    class SlowStore extends MemoryConsumerStore {
      override async due(...asked: Parameters<MemoryConsumerStore['due']>) {
        const due = await super.due(...asked)
        if (due.length > 0) await look()
        return due
      }
    }
    const consumerStore = new SlowStore()
    const handled: string[] = []
    const retried = aside(({ key }) => Promise.resolve(void handled.push(key)))
    const { send, pass } = await groupOf(
      { said: (messages, signal) => (away ? Promise.reject(new DependencyUnavailable('away')) : retried(messages, signal)) },
      { consumerStore },
    )
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    look = () => gate
    await send('said', 'k1')
    await pass(1_000)
    away = true
    await send('said', 'k2', 'k3', 'k4')
    await pass(10_000)
    open()
    await pass(0)
    away = false
    await pass(20_000)
    expect(handled.toSorted()).toEqual(['k1', 'k2', 'k3', 'k4'])
  })
})

describe('a dead letter that recovered', () => {
  it('is forgotten after ninety days; one that is parked is kept', async () => {
    const DAY_MS = 86_400_000
    let mended = false
    const { clock, consumer, consumerStore, send, pass } = await groupOf(
      {
        said: (messages) =>
          messages.some(({ key }) => key === 'ill' || !mended) ? Promise.reject(new TypeError('ill')) : Promise.resolve(noEffect),
      },
      { maxAttempts: 2 },
    )
    await send('said', 'mended', 'ill')
    await pass(5_000)
    const letter = consumerStore.parked().find(({ record }) => record.key === 'mended')
    mended = true
    expect(await consumer.redrive(letter?.id ?? '', 'asha')).toBe(true)
    await pass(5_000)
    const kept = () => consumerStore.letters().map(({ record }) => record.key)
    clock.advance(89 * DAY_MS)
    await pass(3_600_000)
    expect(kept().toSorted()).toEqual(['ill', 'mended'])
    clock.advance(DAY_MS)
    await pass(3_600_000)
    expect(kept()).toEqual(['ill'])
  })
})
