import { DEAD_LETTERS } from '#contracts'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { systemClock, type Clock, type IncomingMessage, type JsonObject, type Transaction, type Transactions } from '#kernel'
import { encodeMessage } from '../cloud-events.js'
import { acceptLog } from '../consumer/accept-log.js'
import { Consumer, type ConsumerOptions } from '../consumer/consumer.js'
import { requestRedrive } from '../consumer/dead-letters.js'
import type { LogGap } from '../consumer/log-gap.js'
import type { ConsumerStore } from '../consumer/store.js'
import { DependencyUnavailable } from '../failure.js'
import { noEffect, type BatchHandler, type LogDriver, type LogRecord, type Standing } from '../log.js'
import { eventually } from '#kernel/testing'

export interface RuntimeUnderTest {
  driver(): LogDriver | Promise<LogDriver>
  /** The consumer's; the system's where there is none. */
  readonly clock?: Clock
  readonly transactions: Transactions
  readonly consumerStore: ConsumerStore
  /** An effect: adds a line, in the transaction. */
  write(tx: Transaction, line: string): Promise<void>
  written(): Promise<readonly string[]>
  /** Deletes the topic, so that it can be made anew. */
  remove(topic: string): Promise<void>
  stop(): Promise<void>
}

const DAY_MS = 86_400_000
let topics = 0

/** What the consumer runtime promises over any log and any consumer's database. */
export const runtimeConformance = (name: string, start: () => Promise<RuntimeUnderTest>, timeout_ms = 30_000): void => {
  describe(`consumer: ${name}`, () => {
    let runtime: RuntimeUnderTest
    let drivers: LogDriver[] = []
    let consumers: Consumer[] = []
    let position = 0n
    let topic = ''

    const clock = (): Clock => runtime.clock ?? systemClock
    const driver = async (): Promise<LogDriver> => {
      const next = await runtime.driver()
      drivers.push(next)
      return next
    }
    const message = (key: string, text: string, more: JsonObject = {}, at = ++position): LogRecord =>
      encodeMessage(
        { topic, key, type: 'Said', schemaVersion: 1, data: { text, ...more }, context: { correlationId: key, causationId: 'test' } },
        'speaker',
        clock().now(),
        { incarnation: 'one', position: at, ordinal: 0 },
      )
    const send = async (...records: LogRecord[]): Promise<void> => (await (await driver()).producer()).send(records)
    const consume = async (handler: BatchHandler, more: Partial<ConsumerOptions> = {}): Promise<Consumer> => {
      const { transactions, consumerStore } = runtime
      const consumer = new Consumer(
        {
          driver: await driver(),
          group: 'readers',
          transactions,
          consumerStore,
          clock: clock(),
          firstRetry_ms: 5,
          mostRetry_ms: 20,
          maxAttempts: 3,
          deferredPoll_ms: 50,
          ...more,
        },
        new Map([[topic, handler]]),
      )
      await consumer.start()
      consumers.push(consumer)
      return consumer
    }
    const textOf = ({ data }: IncomingMessage): string => String(data['text'])
    const allRead = async (): Promise<boolean> => {
      for (const { partition, next } of await (await driver()).offsets(topic)) {
        if ((await runtime.consumerStore.progress('readers', { topic, partition }, 0n)).next !== next) return false
      }
      return true
    }
    /** Writes every text, or throws where the message says so. */
    const writer =
      (fails: (message: IncomingMessage) => unknown = () => undefined): BatchHandler =>
      (messages) => {
        for (const each of messages) {
          const failure = fails(each)
          if (failure !== undefined) return Promise.reject(failure)
        }
        return Promise.resolve(async (tx) => {
          for (const each of messages) await runtime.write(tx, textOf(each))
        })
      }
    const letters = async (count: number): Promise<readonly IncomingMessage[]> => {
      const seen: IncomingMessage[] = []
      const { transactions, consumerStore } = runtime
      const reader = new Consumer(
        { driver: await driver(), group: `ops-${topic}-${++topics}`, transactions, consumerStore },
        new Map<string, BatchHandler>([
          [
            DEAD_LETTERS,
            (messages) => {
              seen.push(...messages.filter(({ data }) => data['topic'] === topic))
              return Promise.resolve(noEffect)
            },
          ],
        ]),
      )
      await reader.start()
      consumers.push(reader)
      await eventually(`${count} dead letters`, () => seen.length >= count)
      return seen
    }

    beforeEach(async () => {
      runtime = await start()
      topic = `said-${Date.now().toString(36)}-${++topics}`
      await (await driver()).ensureTopics([{ name: topic, partitions: 2, retention_ms: DAY_MS }])
    }, 120_000)
    afterEach(async () => {
      await Promise.all(consumers.map((each) => each.close()))
      await Promise.all(drivers.map((each) => each.close()))
      drivers = []
      consumers = []
      await runtime.stop()
    }, 60_000)

    it(
      'drops what a relay sends again, and what two sources send is not confused',
      async () => {
        await consume(writer())
        const [a, b] = [message('k', 'a'), message('k', 'b')]
        const elsewhere: LogRecord = { ...a, headers: { ...a.headers, ce_source: 'another' } }
        const restored: LogRecord = { ...a, headers: { ...a.headers, originincarnation: 'two' } }
        await send(a, b)
        await send(a, b, elsewhere, restored, message('k', 'end'))
        await eventually('all', async () => (await runtime.written()).includes('end'))
        expect(await runtime.written()).toEqual(['a', 'b', 'a', 'a', 'end'])
      },
      timeout_ms,
    )

    it(
      'parks a poison message; other keys go on at once, its own key in order behind it',
      async () => {
        await consume(writer(({ data }) => (data['poison'] ? new TypeError('cannot read 9876543210 of "Asha"') : undefined)))
        await send(
          message('bad', 'b1'),
          message('good', 'g1'),
          message('bad', 'b2', { poison: true }),
          message('bad', 'b3'),
          message('good', 'g2'),
        )
        await send(message('bad', 'b4'))
        await eventually('the key went on', async () => (await runtime.written()).includes('b4'))
        const written = await runtime.written()
        expect(written.filter((text) => text.startsWith('b'))).toEqual(['b1', 'b3', 'b4'])
        expect(written.filter((text) => text.startsWith('g'))).toEqual(['g1', 'g2'])
        const [letter] = await letters(1)
        expect(letter?.data).toMatchObject({ group: 'readers', topic, key: 'bad', type: 'Said', errorClass: 'TypeError', attempts: 3 })
        expect(letter?.data['stackHash']).toMatch(/^[0-9a-f]{16}$/)
        expect(JSON.stringify(letter?.data)).not.toMatch(/9876543210|Asha/)
      },
      timeout_ms,
    )

    it(
      'keeps the order of a key while its first message is retried',
      async () => {
        let failures = 2
        await consume(writer(({ data }) => (data['text'] === 'b1' && failures-- > 0 ? new Error('not yet') : undefined)))
        await send(message('bad', 'b1'))
        for (let n = 2; n <= 6; n++) await send(message('bad', `b${n}`), message('good', `g${n}`))
        await eventually('all', async () => (await runtime.written()).length === 11)
        expect((await runtime.written()).filter((text) => text.startsWith('b'))).toEqual(['b1', 'b2', 'b3', 'b4', 'b5', 'b6'])
      },
      timeout_ms,
    )

    it(
      'parks nothing while a dependency is away, whether it fails before or in the effect',
      async () => {
        let away = 6
        const deferred: number[] = []
        await consume(
          (messages) => {
            if (away > 3 && away-- > 0) return Promise.reject(new DependencyUnavailable('no provider'))
            return Promise.resolve(async (tx) => {
              for (const each of messages) await runtime.write(tx, textOf(each))
              if (away > 0 && away-- > 0) throw new Error('wrapped', { cause: Object.assign(new Error('lost'), { code: '08006' }) })
            })
          },
          { maxAttempts: 2, listener: { onDeferred: ({ messages }) => void deferred.push(messages) } },
        )
        await send(message('k', 'a'), message('k', 'b'))
        await eventually('both', async () => (await runtime.written()).length >= 2)
        expect(await runtime.written()).toEqual(['a', 'b'])
        expect(deferred).toEqual([])
      },
      timeout_ms,
    )

    it(
      'pauses a topic whose dependency is away, probes with one partition, and goes on with all of them when it is back',
      async () => {
        let [away, calls, whileOpen] = [true, 0, 0]
        const states: string[] = []
        await consume(
          (messages) => {
            calls++
            // A batch that was taken before it opened may still reach the handler; of probes there is none.
            if (states.includes('half-open') && states.at(-1) === 'open') whileOpen++
            return writer(() => (away ? new DependencyUnavailable('no provider') : undefined))(messages)
          },
          { maxAttempts: 2, listener: { onBreaker: ({ state }) => void states.push(state) } },
        )
        const all = Array.from({ length: 12 }, (_, n) => message(`k${n}`, `m${n}`))
        await send(...all)
        await eventually('it probed', () => states.filter((state) => state === 'half-open').length >= 4)
        // Five that opened it, what was under way in the other partition, and the probes.
        expect(calls).toBeLessThanOrEqual(6 + states.filter((state) => state === 'half-open').length)
        expect(whileOpen).toBe(0)
        away = false
        await eventually('all', async () => (await runtime.written()).length >= 12)
        expect([...(await runtime.written())].sort()).toEqual(all.map((_, n) => `m${n}`).sort())
        expect(states.slice(0, 3)).toEqual(['open', 'half-open', 'open'])
        expect(states.at(-1)).toBe('closed')
        expect(await runtime.consumerStore.aside('readers')).toEqual([])
      },
      timeout_ms,
    )

    it(
      'quarantines bytes that are no message and goes on',
      async () => {
        await consume(writer())
        const good = message('k', 'after')
        await send(
          { ...message('k', 'x'), value: Uint8Array.of(0xff, 0xfe) },
          { topic, key: 'k', headers: {}, value: new Uint8Array() },
          good,
        )
        await eventually('the good one', async () => (await runtime.written()).length === 1)
        expect((await letters(2)).map(({ data }) => data['errorClass'])).toEqual(['Undecodable', 'Undecodable'])
      },
      timeout_ms,
    )

    it(
      'reads a newer minor version, and sets another major version aside until somebody knows it',
      async () => {
        const contracts = (version: number) => [{ topic, type: 'Said', version }]
        const consumer = await consume(writer(), { contracts: contracts(1) })
        const minor = message('k', 'a', { aFieldOfLater: true })
        const major = message('other', 'b')
        await send(minor, { ...major, headers: { ...major.headers, schemaversion: '2' } }, message('k', 'c'))
        const [letter] = await letters(1)
        expect(letter?.data).toMatchObject({ errorClass: 'UnknownVersion', key: 'other', type: 'Said' })
        await eventually('the others', async () => (await runtime.written()).length === 2)
        await consumer.close()
        const newer = await consume(writer(), { contracts: [...contracts(1), ...contracts(2)] })
        await newer.redrive(String(letter?.data['id']), 'asha')
        await eventually('it is read', async () => (await runtime.written()).includes('b'))
        expect(await runtime.written()).toEqual(['a', 'c', 'b'])
      },
      timeout_ms,
    )

    it(
      'redrives a dead letter with one effect, however often it is asked',
      async () => {
        let healed = false
        const consumer = await consume(writer(({ data }) => (data['poison'] && !healed ? new Error('ill') : undefined)))
        await send(message('k', 'p', { poison: true }))
        const [letter] = await letters(1)
        const id = String(letter?.data['id'])
        healed = true
        await requestRedrive(await driver(), { ids: [id, id, 'unknown'], by: 'asha', at_ms: clock().now() })
        await eventually('its effect', async () => (await runtime.written()).length > 0)
        await requestRedrive(await driver(), { ids: [id], by: 'asha', at_ms: clock().now() })
        expect(await consumer.redrive(id, 'asha')).toBe(false)
        await send(message('k', 'later'))
        await eventually('later', async () => (await runtime.written()).includes('later'))
        expect(await runtime.written()).toEqual(['p', 'later'])
        // Of changes that follow one another closely only the last is told.
        const told = await letters(1)
        await eventually('it is told', () => told.at(-1)?.type === 'MessageRecovered')
        expect(told.at(-1)?.data).toMatchObject({ id, group: 'readers', by: 'asha' })
        expect(await runtime.consumerStore.aside('readers')).toEqual([])
      },
      timeout_ms,
    )

    it(
      'holds the later messages of a parked key where the topic says so',
      async () => {
        let healed = false
        const consumer = await consume(
          writer(({ data }) => (data['poison'] && !healed ? new Error('ill') : undefined)),
          { parkedKeys: { [topic]: 'hold' } },
        )
        await send(message('k', 'p', { poison: true }), message('k', 'q'), message('other', 'o'))
        const [letter] = await letters(1)
        await eventually('the other', async () => (await runtime.written()).length > 0)
        expect(await runtime.written()).toEqual(['o'])
        healed = true
        expect(await consumer.redrive(String(letter?.data['id']), 'asha')).toBe(true)
        await send(message('k', 'r'))
        await eventually('all', async () => (await runtime.written()).length === 4)
        expect(await runtime.written()).toEqual(['o', 'p', 'q', 'r'])
      },
      timeout_ms,
    )

    it(
      'lets no zombie write: an offset moved by another rolls it back, and it goes on from there',
      async () => {
        let release: () => void = () => undefined
        const gate = new Promise<void>((resolve) => (release = resolve))
        let first = true
        await consume(async (messages) => {
          if (first) {
            first = false
            await gate
          }
          return async (tx) => {
            for (const each of messages) await runtime.write(tx, textOf(each))
          }
        })
        await send(message('k', 'a'))
        await eventually('it handles', () => !first)
        const { consumerStore, transactions } = runtime
        for (const partition of [0, 1]) {
          const place = { topic, partition }
          const { next } = await consumerStore.progress('readers', place, 0n)
          const end = (await (await driver()).offsets(topic)).find((each) => each.partition === partition)?.next ?? 0n
          if (end === next) continue
          await transactions.run(async (tx) => {
            expect(await consumerStore.advance(tx, 'readers', place, next, { next: end, marks: [] })).toBe(true)
            await runtime.write(tx, 'by the other')
          })
        }
        release()
        await send(message('k', 'b'))
        await eventually('it goes on', async () => (await runtime.written()).includes('b'))
        expect(await runtime.written()).toEqual(['by the other', 'b'])
      },
      timeout_ms,
    )

    it(
      'goes on where it was after a restart, deferred keys included',
      async () => {
        let ill = true
        const handler = writer(({ data }) => (data['poison'] && ill ? new Error('ill') : undefined))
        const consumer = await consume(handler, { maxAttempts: 1_000 })
        await send(message('bad', 'b1', { poison: true }), message('good', 'g1'))
        await eventually('good', async () => (await runtime.written()).length === 1)
        await consumer.close()
        await send(message('bad', 'b2'), message('good', 'g2'))
        await consume(handler, { maxAttempts: 1_000 })
        // b2 comes while b1 still fails: it may not overtake it.
        await eventually('both were taken in', allRead)
        await send(message('bad', 'b3'), message('good', 'g3'))
        await eventually('and the next', allRead)
        expect((await runtime.written()).filter((text) => text.startsWith('b'))).toEqual([])
        ill = false
        await eventually('all', async () => (await runtime.written()).length === 6)
        const written = await runtime.written()
        expect(written.filter((text) => text.startsWith('b'))).toEqual(['b1', 'b2', 'b3'])
        expect(written.filter((text) => text.startsWith('g'))).toEqual(['g1', 'g2', 'g3'])
      },
      timeout_ms,
    )

    it(
      'stands, unhealthy, where the log ends before its place; accepted, it reads what is there once',
      async () => {
        const first = await consume(writer())
        await send(message('k', 'a'), message('k', 'b'))
        await eventually('both', async () => (await runtime.written()).length === 2)
        await first.close()
        const { consumerStore, transactions } = runtime
        const place = (await consumerStore.places('readers')).find((each) => each.topic === topic && each.next > 0n)
        if (!place) throw new Error('it has no place')
        const { marks, last } = await consumerStore.progress('readers', place, 0n)
        // As if the log had held more, and was restored to a time before.
        await transactions.run((tx) => consumerStore.advance(tx, 'readers', place, place.next, { next: place.next + 5n, marks, last }))
        const gaps: LogGap[] = []
        const consumer = await consume(writer(), { listener: { onLogGap: (gap) => void gaps.push(gap) } })
        await eventually('it is noticed', () => gaps.length > 0)
        expect(gaps[0]).toMatchObject({ reason: 'went-back', next: place.next + 5n, partition: { topic, partition: place.partition } })
        expect(consumer.healthy()).toBe(false)
        expect((await consumer.standings()).find(({ gap }) => gap !== undefined)).toMatchObject({ gap: 'went-back', topic })
        const accept = async (all = false) => acceptLog({ driver: await driver(), consumerStore, transactions, group: 'readers', all })
        expect(await accept()).toMatchObject([{ topic, partition: place.partition, next: place.next + 5n, first: 0n }])
        await send(message('k', 'c'))
        await eventually('it goes on', async () => (await runtime.written()).includes('c'))
        expect(await runtime.written()).toEqual(['a', 'b', 'c'])
        await eventually('it is well', () => consumer.healthy())
        expect(gaps).toHaveLength(1)
        expect(await accept()).toEqual([])
        // Read from the first record once more, nothing has a second effect.
        await consumer.close()
        expect((await accept(true)).length).toBeGreaterThan(0)
        await consume(writer())
        await send(message('k', 'd'))
        await eventually('the last', async () => (await runtime.written()).includes('d'))
        expect(await runtime.written()).toEqual(['a', 'b', 'c', 'd'])
      },
      timeout_ms,
    )

    it(
      'stands, unhealthy, where the log was made anew and has grown past its place while it was away; accepted, it reads all of it once',
      async () => {
        const kept = [message('k', 'a'), message('k', 'b'), message('k', 'c')]
        const first = await consume(writer())
        await send(...kept)
        await eventually('all three', async () => (await runtime.written()).length === 3)
        await first.close()
        await runtime.remove(topic)
        await (await driver()).ensureTopics([{ name: topic, partitions: 2, retention_ms: DAY_MS }])
        // At its place there is a record again, and before it there are some that it never saw.
        await send(...kept.slice(0, 1), message('k', 'd'), message('k', 'e'), message('k', 'f'), message('k', 'g'))
        const gaps: LogGap[] = []
        const consumer = await consume(writer(), { tell_ms: 20, listener: { onLogGap: (gap) => void gaps.push(gap) } })
        await eventually('it is noticed', () => gaps.length > 0)
        expect(gaps[0]).toMatchObject({ reason: 'went-back', next: 3n, log: { first: 0n, next: 5n }, partition: { topic } })
        expect(consumer.healthy()).toBe(false)
        expect(await runtime.written()).toEqual(['a', 'b', 'c'])
        await eventually('it told', async () =>
          (await (await driver()).groups()).some((each) => each.topic === topic && each.gap === 'went-back'),
        )
        const { consumerStore, transactions } = runtime
        const moved = await acceptLog({ driver: await driver(), consumerStore, transactions, group: 'readers' })
        expect(moved).toMatchObject([{ topic, next: 3n, first: 0n }])
        await eventually('it goes on', async () => (await runtime.written()).includes('g'))
        expect(await runtime.written()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
        await eventually('it is well', () => consumer.healthy())
        expect(gaps).toHaveLength(1)
      },
      timeout_ms,
    )

    it(
      'tells the log how far behind it is, what it tries again and what it parked',
      async () => {
        let away = true
        const consumer = await consume(
          writer(({ data }) => (data['poison'] ? new Error('ill') : away && data['away'] ? new DependencyUnavailable('away') : undefined)),
          { tell_ms: 20, maxAttempts: 1_000 },
        )
        await send(message('ill', 'x', { poison: true }))
        await eventually('it is put aside', async () => (await consumer.standings()).some(({ deferred }) => deferred === 1))
        const stuck = message('k', 'a', { away: true })
        await send(stuck, message('k', 'b'))
        const told = async () => (await (await driver()).groups()).filter(({ group, topic: of }) => group === 'readers' && of === topic)
        const sum = (standings: readonly Standing[], of: 'lag' | 'deferred') => standings.reduce((all, each) => all + each[of], 0)
        await eventually('it told', async () => sum(await told(), 'lag') === 2 && sum(await told(), 'deferred') === 1)
        const waits = (await told()).find(({ lag }) => lag > 0)
        expect(waits).toMatchObject({ owned: true, lag: 2, parked: 0 })
        expect(clock().now() - (waits?.waitingSince_ms ?? 0)).toBeLessThan(timeout_ms)
        const own = (await consumer.standings()).find((each) => each.topic === topic && each.partition === waits?.partition)
        expect(own).toMatchObject({ lag: 2, next: waits?.next })
        await eventually('that it is held back', async () => (await told()).some(({ breaker, lag }) => breaker === 'open' && lag === 2))
        away = false
        await eventually('none waits', async () => sum(await told(), 'lag') === 0)
        expect((await told()).every(({ waitingSince_ms }) => waitingSince_ms === undefined)).toBe(true)
        await eventually('that it goes on', async () => (await told()).every(({ breaker }) => breaker === undefined))
      },
      timeout_ms,
    )
  })
}
