import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { ConsumeOptions, LogConsumer, LogDriver, LogRecord, StoredRecord, TopicPartition } from '../log.js'
import { partitionName } from '../log.js'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'

export interface LogUnderTest {
  /** Another process's view of the same log. */
  driver(): LogDriver | Promise<LogDriver>
  /** One whose members lose their partitions when they are not heard of for `session_ms`. Left out where members need not be heard of. */
  withSession?(session_ms: number): LogDriver | Promise<LogDriver>
  /** Ends a consumer as SIGKILL would: no goodbye. Left out where a driver cannot be killed in process. */
  kill?(consumer: LogConsumer): Promise<void>
  stop(): Promise<void>
}

const DAY_MS = 86_400_000
const record = (topic: string, key: string, text: string): LogRecord => ({
  topic,
  key,
  headers: { n: text },
  value: new TextEncoder().encode(text),
})
const textOf = ({ value }: StoredRecord): string => new TextDecoder().decode(value)

/** A consumer that keeps its place in `places`, as one with its own database does. */
const follow = async (
  driver: LogDriver,
  group: string,
  topics: readonly string[],
  places: Map<string, bigint>,
  handle: (partition: TopicPartition, records: readonly StoredRecord[], signal: AbortSignal) => Promise<void> | void,
  more: Partial<ConsumeOptions> = {},
): Promise<LogConsumer> =>
  driver.consume({
    group,
    topics,
    maxBatch: 100,
    startOffset: (place) => Promise.resolve(places.get(partitionName(place)) ?? 0n),
    async onBatch(place, records, signal) {
      await handle(place, records, signal)
      const last = records.at(-1)
      if (last && !signal.aborted) places.set(partitionName(place), last.offset + 1n)
    },
    ...more,
  })

/** What every log driver promises. */
export const logConformance = (name: string, start: () => Promise<LogUnderTest>, timeout_ms = 30_000): void => {
  describe(`log: ${name}`, () => {
    let log: LogUnderTest
    let drivers: LogDriver[] = []
    let topics = 0

    const driver = async (session_ms?: number): Promise<LogDriver> => {
      const next = await (session_ms !== undefined && log.withSession ? log.withSession(session_ms) : log.driver())
      drivers.push(next)
      return next
    }
    const topic = async (partitions = 2): Promise<string> => {
      const fresh = `conformance-${Date.now().toString(36)}-${++topics}`
      await (await driver()).ensureTopics([{ name: fresh, partitions, retention_ms: DAY_MS }])
      return fresh
    }
    const send = async (...records: LogRecord[]): Promise<void> => (await (await driver()).producer()).send(records)

    beforeAll(async () => {
      log = await start()
    }, 120_000)
    afterEach(async () => {
      await Promise.all(drivers.map((each) => each.close()))
      drivers = []
    }, 60_000)
    afterAll(async () => log.stop(), 60_000)

    it(
      'gives records back whole, densely numbered, in order per key',
      async () => {
        const t = await topic(3)
        const keys = ['a', 'b', 'c', 'd', 'नमस्ते', '']
        const producer = await (await driver()).producer()
        const seen: StoredRecord[] = []
        await follow(await driver(), 'g', [t], new Map(), (_, records) => void seen.push(...records))
        for (let round = 0; round < 20; round++) await producer.send(keys.map((key) => record(t, key, `${key}${round} "quoted" \\ ₹`)))
        await eventually('all seen', () => seen.length === 120)
        for (const key of keys) {
          const mine = seen.filter((each) => each.key === key)
          expect(mine.map(textOf)).toEqual(Array.from({ length: 20 }, (_, round) => `${key}${round} "quoted" \\ ₹`))
          expect(new Set(mine.map(({ partition }) => partition)).size).toBe(1)
          expect(mine.every((each) => each.headers['n'] === textOf(each) && each.topic === t)).toBe(true)
        }
        for (const { partition, first, next } of await (await driver()).offsets(t)) {
          const offsets = seen.filter((each) => each.partition === partition).map(({ offset }) => offset)
          expect(offsets).toEqual(Array.from({ length: Number(next - first) }, (_, index) => first + BigInt(index)))
        }
      },
      timeout_ms,
    )

    it(
      'hands over a backlog of whole pages, byte for byte and in order',
      async () => {
        const t = await topic(2)
        const sent = Array.from({ length: 600 }, (_, n) => ({
          ...record(t, ['a', 'b', 'नमस्ते', ''][n % 4] ?? '', `${n} "quoted" \\ ₹`),
          value: Buffer.from([0, 255, n >> 8, n & 255, 192, 10]),
        }))
        await send(...sent)
        const seen: StoredRecord[] = []
        await follow(await driver(), 'late', [t], new Map(), (_, records) => void seen.push(...records), { maxBatch: 300 })
        await eventually('all seen', () => seen.length >= sent.length)
        const plain = ({ key, headers, value }: LogRecord) => ({ key, headers: { ...headers }, value: Buffer.from(value).toString('hex') })
        for (const each of new Set(sent.map(({ key }) => key)))
          expect(seen.filter(({ key }) => key === each).map(plain)).toEqual(sent.filter(({ key }) => key === each).map(plain))
        for (const { partition, next } of await (await driver()).offsets(t))
          expect(seen.filter((each) => each.partition === partition).map(({ offset }) => offset)).toEqual(
            Array.from({ length: Number(next) }, (_, index) => BigInt(index)),
          )
      },
      timeout_ms,
    )

    it(
      'carries on where startOffset says, from the middle or from the beginning',
      async () => {
        const t = await topic(1)
        await send(...Array.from({ length: 10 }, (_, n) => record(t, 'k', String(n))))
        const seen: string[] = []
        await follow(await driver(), 'late', [t], new Map([[`${t}/0`, 7n]]), (_, records) => void seen.push(...records.map(textOf)))
        await eventually('the rest', () => seen.length >= 3)
        expect(seen).toEqual(['7', '8', '9'])
      },
      timeout_ms,
    )

    it(
      'delivers a rejected batch again, from startOffset, and nothing overtakes it',
      async () => {
        const t = await topic(1)
        const places = new Map<string, bigint>()
        const seen: string[] = []
        let failures = 2
        await follow(await driver(), 'g', [t], places, (_, records) => {
          if (failures > 0 && records.some((each) => textOf(each) === '3')) {
            failures--
            throw new Error('not now')
          }
          seen.push(...records.map(textOf))
        })
        for (let n = 0; n < 8; n++) await send(record(t, 'k', String(n)))
        await eventually('all', () => seen.length >= 8)
        expect(seen).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
      },
      timeout_ms,
    )

    it(
      'delivers what was handled but not kept to the next owner: a crash before the commit',
      async () => {
        const t = await topic(1)
        await send(record(t, 'k', '0'), record(t, 'k', '1'))
        const places = new Map<string, bigint>()
        const first: string[] = []
        const consumer = await follow(await driver(), 'g', [t], places, async (_, records) => {
          first.push(...records.map(textOf))
          throw new Error('crashed before the commit')
        })
        await eventually('the first has seen it', () => first.length > 0)
        await (log.kill ? log.kill(consumer) : consumer.close(1_000))
        const second: string[] = []
        await follow(await driver(), 'g', [t], places, (_, records) => void second.push(...records.map(textOf)))
        await eventually('the second gets it', () => second.length >= 2)
        expect(second).toEqual(['0', '1'])
      },
      timeout_ms,
    )

    it(
      'gives every group everything, and one group each record once, however its members come and go',
      async () => {
        const t = await topic(4)
        const places = new Map<string, bigint>()
        const seen: string[] = []
        const other: string[] = []
        const join = async () => follow(await driver(), 'shared', [t], places, (_, records) => void seen.push(...records.map(textOf)))
        await follow(await driver(), 'other', [t], new Map(), (_, records) => void other.push(...records.map(textOf)))
        const one = await join()
        await eventually('one has all', () => one.assignment().length === 4)
        let n = 0
        const some = () => send(...Array.from({ length: 40 }, () => record(t, `key-${n}`, String(n++))))
        await some()
        const two = await join()
        await eventually('shared fairly', () => one.assignment().length === 2 && two.assignment().length === 2)
        await some()
        const held = [...one.assignment(), ...two.assignment()].map(partitionName)
        expect(new Set(held).size).toBe(4)
        await one.close()
        await eventually('two took over', () => two.assignment().length === 4)
        await some()
        await eventually('all seen', () => seen.length >= 120 && other.length >= 120)
        const all = Array.from({ length: 120 }, (_, index) => String(index)).sort()
        expect([...seen].sort()).toEqual(all)
        expect([...other].sort()).toEqual(all)
      },
      timeout_ms * 2,
    )

    it(
      'waits for the batch under way before it closes, and delivers nothing after',
      async () => {
        const t = await topic(1)
        const places = new Map<string, bigint>()
        let release: () => void = () => undefined
        const gate = new Promise<void>((resolve) => (release = resolve))
        let began = 0
        let ended = 0
        const consumer = await follow(
          await driver(),
          'g',
          [t],
          places,
          async () => {
            began++
            await gate
            ended++
          },
          { maxBatch: 1 },
        )
        await send(record(t, 'k', '0'), record(t, 'k', '1'))
        await eventually('began', () => began === 1)
        let closed = false
        const closing = consumer.close().then(() => (closed = true))
        await send(record(t, 'k', '2'))
        expect(closed).toBe(false)
        release()
        await closing
        expect({ began, ended }).toEqual({ began: 1, ended: 1 })
        expect(places.get(`${t}/0`)).toBe(1n)
      },
      timeout_ms,
    )

    it(
      'takes no batch away that takes longer than a session: its member is heard of meanwhile',
      async () => {
        const session_ms = 6_000
        const t = await topic(2)
        const places = new Map<string, bigint>()
        const seen: string[] = []
        const aborted: boolean[] = []
        const join = async () =>
          follow(await driver(session_ms), 'g', [t], places, async (_, records, signal) => {
            seen.push(...records.map(textOf))
            if (records.some((each) => textOf(each) === 'long')) await systemClock.sleep(log.withSession ? 1.75 * session_ms : 0)
            aborted.push(signal.aborted)
          })
        const members = [await join(), await join()]
        await eventually('shared fairly', () => members.every((each) => each.assignment().length === 1))
        await send(record(t, 'k', 'long'))
        await eventually('its end', () => aborted.length > 0, 40_000)
        await send(record(t, 'k', 'next'))
        await eventually('the next', () => seen.includes('next') && aborted.length === 2)
        expect({ seen, aborted }).toEqual({ seen: ['long', 'next'], aborted: [false, false] })
      },
      timeout_ms * 2,
    )

    it(
      'goes on with a topic whose consumer has another one that stands',
      async () => {
        const [slow, other] = [await topic(2), await topic(2)]
        const gate = Promise.withResolvers<void>()
        const seen: StoredRecord[] = []
        let waiting = 0
        await follow(await driver(), 'g', [slow, other], new Map(), async ({ topic: of }, records) => {
          if (of === slow) {
            waiting++
            await gate.promise
          }
          seen.push(...records)
        })
        const of = (t: string) => seen.filter((each) => each.topic === t)
        const all = (t: string) => Array.from({ length: 300 }, (_, n) => record(t, `k${n % 7}`, String(n)))
        await send(...all(slow))
        await eventually('both its partitions stand', () => waiting === 2)
        await send(...all(other))
        await eventually('all of the other', () => of(other).length === 300)
        expect(of(slow)).toEqual([])
        gate.resolve()
        await eventually('all of the slow one', () => of(slow).length === 300)
        for (const t of [slow, other]) expect(new Set(of(t).map(textOf)).size).toBe(300)
      },
      timeout_ms,
    )

    it(
      'holds a paused partition and goes on with the others; resumed, nothing is missing',
      async () => {
        const t = await topic(2)
        const seen: StoredRecord[] = []
        const consumer = await follow(await driver(), 'g', [t], new Map(), (_, records) => void seen.push(...records))
        await eventually('assigned', () => consumer.assignment().length === 2)
        await send(...Array.from({ length: 20 }, (_, n) => record(t, `before-${n}`, 'x')))
        await eventually('both flow', () => seen.length === 20)
        const held = { topic: t, partition: 0 }
        consumer.pause(held)
        await send(...Array.from({ length: 40 }, (_, n) => record(t, `key-${n}`, 'x')))
        const ends = await (await driver()).offsets(t)
        const free = Number(ends.find(({ partition }) => partition === 1)?.next)
        const of = (partition: number) => seen.filter((each) => each.partition === partition).length
        await eventually('the other flows', () => of(1) === free)
        const before = of(0)
        expect(before).toBeLessThan(60 - free)
        consumer.resume(held)
        await eventually('all', () => seen.length === 60)
      },
      timeout_ms,
    )

    it(
      'ensures topics again without harm, gives them more partitions, and knows where they begin and end',
      async () => {
        const t = await topic(2)
        await (await driver()).ensureTopics([{ name: t, partitions: 1, retention_ms: DAY_MS }])
        expect((await (await driver()).offsets(t)).map(({ partition, next }) => [partition, next])).toEqual([
          [0, 0n],
          [1, 0n],
        ])
        await send(record(t, 'k', '0'))
        expect((await (await driver()).offsets(t)).reduce((sum, { next }) => sum + next, 0n)).toBe(1n)
        expect(await (await driver()).offsets(`${t}-missing`)).toEqual([])
        await (await driver()).ensureTopics([{ name: t, partitions: 4, retention_ms: DAY_MS }])
        expect(await (await driver()).offsets(t)).toHaveLength(4)
        // Several processes that start at once, each with topics of several kinds.
        const more = ['a', 'b', 'c', 'd'].map((name, n) => ({
          name: `${t}-${name}`,
          partitions: n + 1,
          retention_ms: DAY_MS,
          compacted: n > 2,
        }))
        await Promise.all(
          [driver(), driver(), driver()].map(async (each) =>
            (await each).ensureTopics([{ name: t, partitions: 4, retention_ms: DAY_MS }, ...more]),
          ),
        )
        // A partition that was made this moment may have no leader yet.
        const made = () => Promise.all(more.map(async ({ name }) => (await driver()).offsets(name))).catch(() => [])
        await eventually('all are there', async () => (await made()).map(({ length }) => length).join() === '1,2,3,4')
      },
      timeout_ms,
    )

    it(
      'loses nothing that is sent, one by one, while a topic is given more partitions',
      async () => {
        const one = await driver()
        const t = await topic(2)
        const producer = await one.producer()
        const keys = Array.from({ length: 30 }, (_, n) => `k${n}`)
        for (const key of keys) await producer.send([record(t, key, 'before')])
        await one.ensureTopics([{ name: t, partitions: 12, retention_ms: DAY_MS }])
        // A partition that was made this moment may have no leader yet.
        for (const key of keys)
          await eventually('it is taken', () =>
            producer.send([record(t, key, 'after')]).then(
              () => true,
              () => false,
            ),
          )
        const seen = new Set<string>()
        await follow(one, 'readers', [t], new Map(), (_, records) => records.forEach((each) => seen.add(`${each.key} ${textOf(each)}`)))
        await eventually('all are read', () => seen.size === 60)
        await producer.close()
      },
      timeout_ms,
    )
  })
}
