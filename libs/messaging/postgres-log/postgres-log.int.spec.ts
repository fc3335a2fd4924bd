import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { asMemory, eventually, FakeClock, memoryTransactions } from '#kernel/testing'
import { createPool, listen } from '#postgres'
import { createTestDatabase, cuttable, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { acceptLog, Consumer, encodeMessage, logMigrations, noEffect, postgresLog, type BatchHandler } from '#messaging'
import { logConformance, MemoryConsumerStore } from '#messaging/testing'
import { Hub } from './hub.js'
import { GroupMember } from './member.js'

const kill = async (consumer: unknown) => {
  if (!(consumer instanceof GroupMember)) throw new Error('not a member')
  await consumer.die()
}

for (const shared of [true, false]) {
  logConformance(`PostgreSQL, ${shared ? 'one process' : 'several processes'}`, async () => {
    const database = await createTestDatabase(logMigrations, 'log')
    const withSession = (leaseTtl_ms: number) => postgresLog({ url: database.url, shared, leaseTtl_ms, maxConnections: 3 })
    return {
      driver: () => withSession(1_500),
      withSession,
      kill,
      stop: () => database.drop(),
    }
  })
}

describe('the log in PostgreSQL', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase(logMigrations, 'log')
    pool = createPool(database)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })
  const record = (key: string) => ({ topic: 't', key, headers: {}, value: Buffer.from('{}') })

  it('removes what is past its retention, and a reader from before goes on at what is left', async () => {
    const driver = postgresLog({ url: database.url, shared: false })
    await driver.ensureTopics([{ name: 't', partitions: 1, retention_ms: 60_000 }])
    const producer = await driver.producer()
    await producer.send(Array.from({ length: 30 }, () => record('k')))
    await pool.query('UPDATE record SET recorded_at_ms = recorded_at_ms - 120000 WHERE "offset" < 20')
    await pool.query('SELECT retain(7)')
    expect(await driver.offsets('t')).toEqual([{ partition: 0, first: 7n, next: 30n }])
    await pool.query('SELECT retain(1000)')
    expect(await driver.offsets('t')).toEqual([{ partition: 0, first: 20n, next: 30n }])
    const seen: bigint[] = []
    await driver.consume({
      group: 'g',
      topics: ['t'],
      maxBatch: 8,
      startOffset: () => Promise.resolve(3n),
      onBatch: (_, records) => Promise.resolve(void seen.push(...records.map(({ offset }) => offset))),
    })
    await eventually('the rest', () => seen.length === 10)
    expect(seen[0]).toBe(20n)
    await driver.close()
  })

  it('notices a log that went back under its readers, and retention that overtook one: it stands until that is accepted', async () => {
    const driver = postgresLog({ url: database.url, shared: false, poll_ms: 20 })
    await driver.ensureTopics([{ name: 'v', partitions: 1, retention_ms: 60_000 }])
    const producer = await driver.producer()
    const said = (text: string, at: number) =>
      encodeMessage(
        { topic: 'v', key: 'k', type: 'Said', schemaVersion: 1, data: { text }, context: { correlationId: 'c', causationId: 'c' } },
        'speaker',
        0,
        { incarnation: 'one', position: BigInt(at), ordinal: 0 },
      )
    const consumerStore = new MemoryConsumerStore()
    const progress = jest.spyOn(consumerStore, 'progress')
    const transactions = memoryTransactions()
    const seen: unknown[] = []
    const gaps: string[] = []
    const collect: BatchHandler = (messages) =>
      Promise.resolve((tx) => Promise.resolve(asMemory(tx).onCommit(() => seen.push(...messages.map(({ data }) => data['text'])))))
    const consumer = new Consumer(
      { driver, group: 'v', transactions, consumerStore, listener: { onLogGap: ({ reason }) => void gaps.push(reason) } },
      new Map([['v', collect]]),
    )
    const ofTopic = `IN (SELECT p.id FROM partition p JOIN topic t ON t.id = p.topic_id WHERE t.name = 'v')`
    await consumer.start()
    await producer.send(['a', 'b', 'c', 'd'].map((text, at) => said(text, at)))
    await eventually('all', () => seen.length === 4)

    await pool.query(`UPDATE partition SET next = 2 WHERE id ${ofTopic}`)
    await pool.query(`DELETE FROM record WHERE partition_id ${ofTopic} AND "offset" >= 2`)
    await eventually('it stands', () => gaps.length === 1 && !consumer.healthy())
    // Late news from before it went back: its lanes begin anew once more, and find what was told already.
    const looks = progress.mock.calls.length
    await pool.query(`SELECT pg_notify('bahi_log', id || ':4') FROM partition WHERE id ${ofTopic}`)
    await eventually('it looks again', () => progress.mock.calls.length >= looks + 2 && !consumer.healthy())
    expect(gaps).toEqual(['went-back'])
    await acceptLog({ driver, consumerStore, transactions, group: 'v' })
    await producer.send([said('c', 2), said('d', 3), said('e', 4)])
    await eventually('the new one', () => seen.includes('e'))
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(consumer.healthy()).toBe(true)

    for (const place of consumer.assignment()) consumer.pause(place)
    await producer.send([said('f', 5), said('g', 6), said('h', 7)])
    await pool.query(`UPDATE record SET recorded_at_ms = 0 WHERE "offset" < 7 AND partition_id ${ofTopic}`)
    await pool.query('SELECT retain(1000)')
    await driver.close()
    await consumer.close()

    const later = postgresLog({ url: database.url, shared: false, poll_ms: 20 })
    const another = new Consumer(
      { driver: later, group: 'v', transactions, consumerStore, listener: { onLogGap: ({ reason }) => void gaps.push(reason) } },
      new Map([['v', collect]]),
    )
    await another.start()
    await eventually('it stands again', () => gaps.length === 2 && !another.healthy())
    expect(gaps[1]).toBe('removed-unread')
    expect(seen).not.toContain('h')
    await acceptLog({ driver: later, consumerStore, transactions, group: 'v' })
    await eventually('what is left', () => seen.includes('h'))
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'h'])
    await another.close()
    await later.close()
  })

  it('keeps the newest record of each key where the topic is compacted, and readers pass over what is gone', async () => {
    const driver = postgresLog({ url: database.url, shared: false })
    await driver.ensureTopics([{ name: 'c', partitions: 1, retention_ms: 1, compacted: true }])
    const producer = await driver.producer()
    const said = (key: string, text: string) => ({ topic: 'c', key, headers: {}, value: Buffer.from(text) })
    const compact = async (least: number) =>
      (await pool.query<{ removed: bigint }>('SELECT compact($1) AS removed', [least])).rows[0]?.removed
    for (let round = 0; round < 4; round++) await producer.send(['a', 'b', 'c'].map((key) => said(key, `${key}${round}`)))
    expect(await compact(13)).toBe(0n)
    expect(await compact(12)).toBe(9n)
    await producer.send([said('b', 'b4'), said('d', 'd4')])
    expect(await compact(2)).toBe(1n)
    expect(await compact(1)).toBe(0n)
    await pool.query('SELECT retain(1000)')
    expect(await driver.offsets('c')).toEqual([{ partition: 0, first: 0n, next: 14n }])
    const seen: string[] = []
    const gaps: unknown[] = []
    const collect: BatchHandler = (messages) => {
      seen.push(...messages.map(({ key, offset }) => `${key}@${offset}`))
      return Promise.resolve(noEffect)
    }
    await producer.send([
      encodeMessage(
        { topic: 'c', key: 'e', type: 'T', schemaVersion: 1, data: {}, context: { correlationId: 'x', causationId: 'x' } },
        's',
        0,
        { incarnation: '', position: 0n, ordinal: 0 },
      ),
    ])
    const raw: string[] = []
    await driver.consume({
      group: 'raw',
      topics: ['c'],
      maxBatch: 2,
      startOffset: () => Promise.resolve(0n),
      onBatch: (_, records) => Promise.resolve(void raw.push(...records.map(({ value }) => Buffer.from(value).toString()))),
    })
    await eventually('what is left', () => raw.length === 5)
    expect(raw.slice(0, 4)).toEqual(['a3', 'c3', 'b4', 'd4'])
    const consumer = new Consumer(
      {
        driver,
        group: 'compacted',
        transactions: memoryTransactions(),
        consumerStore: new MemoryConsumerStore(),
        listener: { onLogGap: (gap) => void gaps.push(gap) },
      },
      new Map([['c', collect]]),
    )
    await consumer.start()
    await eventually('the last', () => seen.includes('e@14'))
    expect({ gaps, healthy: consumer.healthy() }).toEqual({ gaps: [], healthy: true })
    await consumer.close()
    await driver.close()
  })

  it('keeps offsets dense and deadlocks nobody when many send to many partitions at once', async () => {
    const drivers = Array.from({ length: 4 }, () => postgresLog({ url: database.url, shared: false, maxConnections: 2 }))
    await drivers[0]?.ensureTopics([
      { name: 't', partitions: 5, retention_ms: 60_000 },
      { name: 'u', partitions: 5, retention_ms: 60_000 },
    ])
    await Promise.all(
      drivers.map(async (driver, which) => {
        const producer = await driver.producer()
        for (let round = 0; round < 25; round++)
          await producer.send(
            Array.from({ length: 20 }, (_, n) => ({ ...record(`${which}-${round}-${n}`), topic: (n + which) % 2 ? 't' : 'u' })),
          )
      }),
    )
    const { rows } = await pool.query(
      `SELECT p.id FROM partition p JOIN topic t ON t.id = p.topic_id AND NOT t.compacted LEFT JOIN record r ON r.partition_id = p.id
       GROUP BY p.id HAVING count(r.*) <> p.next - p.first OR min(r."offset") <> p.first`,
    )
    expect(rows).toEqual([])
    await Promise.all(drivers.map((driver) => driver.close()))
  })

  it('rings once for a batch, and whoever reads in another process is woken by that', async () => {
    // Neither a poll nor a heartbeat finds anything in time.
    const patient = { url: database.url, shared: false, poll_ms: 600_000, leaseTtl_ms: 1_800_000 }
    const [one, other] = [postgresLog(patient), postgresLog(patient)]
    await one.ensureTopics([{ name: 'rung', partitions: 1, retention_ms: 60_000 }])
    const polls = jest.spyOn(Hub.prototype, 'poll')
    const rings: string[] = []
    const bell = await listen(database, 'bahi_log', (payload) => void rings.push(payload ?? ''))
    let handled = 0
    await other.consume({
      group: 'g',
      topics: ['rung'],
      maxBatch: 500,
      startOffset: () => Promise.resolve(0n),
      onBatch: (_, records) => Promise.resolve(void (handled += records.length)),
    })
    // When it listens, and once more when all know that it does.
    await eventually('it has looked twice', () => polls.mock.calls.length >= 2)
    await Promise.all(polls.mock.results.map(({ value }) => value))
    polls.mockRestore()
    await (await one.producer()).send(Array.from({ length: 500 }, (_, n) => ({ ...record(`k${n}`), topic: 'rung' })))
    await eventually('all of it', () => handled === 500)
    await pool.query(`SELECT pg_notify('bahi_log', 'the last')`)
    await eventually('every ring is heard', () => rings.includes('the last'))
    expect(rings.filter((payload) => /^\d+:500$/.test(payload))).toHaveLength(1)
    expect(rings.filter((payload) => /\d+:/.test(payload)).length).toBeLessThanOrEqual(2)
    await bell.close()
    await Promise.all([one.close(), other.close()])
  })

  describe('a reader’s health', () => {
    const leaseTtl_ms = 6_000
    const setUp = async () => {
      const line = await cuttable(database.url)
      const clock = new FakeClock()
      // It always waits as long as it may.
      const random = { next: () => 0.999 }
      const driver = postgresLog({ url: line.url, shared: false, leaseTtl_ms, poll_ms: 600_000, clock, random })
      await driver.ensureTopics([{ name: 'idle', partitions: 1, retention_ms: 60_000 }])
      const revoked: unknown[] = []
      const reader = await driver.consume({
        group: 'idle',
        topics: ['idle'],
        maxBatch: 1,
        startOffset: () => Promise.resolve(0n),
        onBatch: () => Promise.resolve(),
        onRevoked: (place) => void revoked.push(place),
      })
      await eventually('assigned', () => reader.assignment().length === 1)
      /** Time passes only while nobody asks the database: the test is the same on a slow machine. */
      const pass = async (by_ms: number, look: () => void = () => undefined) => {
        for (const until = clock.now() + by_ms; clock.now() < until; look()) {
          await eventually('it waits', () => clock.nextWake() !== undefined)
          clock.advance(Math.min(until, clock.nextWake() ?? until) - clock.now())
        }
      }
      const end = async () => {
        await driver.close()
        await line.close()
      }
      return { line, reader, revoked, pass, end }
    }

    it('is good while it is idle, for as long as it is heard of', async () => {
      const { reader, revoked, pass, end } = await setUp()
      await pass(3 * leaseTtl_ms, () => expect(reader.healthy()).toBe(true))
      expect(revoked).toEqual([])
      await end()
    })

    it('is bad once it is cut off for longer than its lease, and good again, with its partitions, when it is not', async () => {
      const { line, reader, revoked, pass, end } = await setUp()
      line.cut()
      await pass(2 * leaseTtl_ms)
      expect(reader.healthy()).toBe(false)
      await eventually('it gave up its partition', () => reader.assignment().length === 0 && revoked.length === 1)
      line.mend()
      await pass(leaseTtl_ms)
      await eventually('well, and at work', () => reader.healthy() && reader.assignment().length === 1)
      await end()
    })

    it('stays good, and keeps its partitions, when it is cut off for less than its lease', async () => {
      const { line, reader, revoked, pass, end } = await setUp()
      line.cut()
      await pass(0.75 * leaseTtl_ms, () => expect(reader.healthy()).toBe(true))
      line.mend()
      await pass(leaseTtl_ms, () => expect(reader.healthy()).toBe(true))
      expect({ revoked, has: reader.assignment().length }).toEqual({ revoked: [], has: 1 })
      await end()
    })
  })

  it('refuses a topic that nobody ensured', async () => {
    const driver = postgresLog({ url: database.url, shared: false })
    await expect((await driver.producer()).send([{ ...record('k'), topic: 'nowhere' }])).rejects.toMatchObject({ name: 'UnknownTopic' })
    await driver.close()
  })
})
