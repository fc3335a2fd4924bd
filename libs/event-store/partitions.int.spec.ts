import { describe, expect, it } from '@jest/globals'
import {
  eventStoreMigrations,
  listPartitions,
  makeRoom,
  roomLeft,
  openEventStore,
  verifyAll,
  type EventStore,
  type RecordedEvent,
} from '#event-store'
import { systemClock } from '#kernel'
import { createPool, migrate } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { eventHash, NO_HASH } from './integrity/hash-chain.js'
import { partitionedPlace } from './testing/partitioned.js'
import { change, publishTally, tally, tallyType } from './testing/tally.js'

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('the partitions of an event store', () => {
  it('are made of the one table of a store that was there before, with all that is in it', async () => {
    const database = await createTestDatabase(eventStoreMigrations.slice(0, 3))
    const pool = createPool(database)
    const metadata = Buffer.from(JSON.stringify({ actor: 'a', correlationId: 'c', causationId: 'x', commandId: 'before' }))
    for (let at = 0; at < 30; at++) {
      const stream = `tally-${at % 3}`
      const head = (await pool.query<{ head: Buffer }>('SELECT head FROM streams WHERE stream_id = $1', [stream])).rows[0]?.head ?? NO_HASH
      const version = Math.floor(at / 3) + 1
      const payload = Buffer.from('{"by":2}')
      const hash = eventHash({ stream, version, type: 'Changed', schemaVersion: 1, time: at, payload, metadata }, head)
      await pool.query(`INSERT INTO events VALUES ($1, $2, $3, 'Changed', 1, $4, $5, $6, $7)`, [
        at + 1,
        stream,
        version,
        payload,
        metadata,
        hash,
        at,
      ])
      await pool.query(
        `INSERT INTO streams VALUES ($1, 'tally', $2, $3, $4) ON CONFLICT (stream_id) DO UPDATE SET version = $2, head = $3, recorded_at = $4`,
        [stream, version, hash, at],
      )
    }
    await pool.query(`INSERT INTO commands VALUES ('before', 'f', 'kept', 0)`)
    await pool.query('UPDATE store SET position = 30')
    const before = (await pool.query('SELECT * FROM readable_events ORDER BY position')).rows
    const incarnation = (await pool.query('SELECT incarnation FROM store')).rows[0]

    expect(await migrate({ url: database.url, schema: database.schema, migrations: eventStoreMigrations })).toHaveLength(
      eventStoreMigrations.length - 3,
    )
    const store = await openEventStore({
      pool,
      postgres: database,
      types: [tallyType as never],
      publish: publishTally,
      clock: systemClock,
      app: 'test',
    })
    expect((await pool.query('SELECT * FROM readable_events ORDER BY position')).rows).toEqual(before)
    expect({ incarnation: store.incarnation }).toEqual(incarnation)
    expect(await verifyAll(pool)).toEqual({ streams: 3, events: 30, elsewhere: 0, faults: [] })
    expect(await store.load(tally('1'))).toEqual({ version: 10, state: { total: 20, changes: 10 } })
    expect(await store.execute(change('before', '1', 1))).toEqual({ answer: 'kept', replayed: true })
    expect(await store.execute(change('after', '1', 1))).toEqual({ answer: 'total 21', replayed: false })
    expect((await collect(store.readAll())).map(({ position }) => position)).toEqual(Array.from({ length: 31 }, (_, at) => BigInt(at + 1)))
    expect((await store.outbox.after(0n, 100)).length).toBe(31)
    expect(await listPartitions(pool)).toMatchObject([{ name: 'events_0', since: 0n, upto: 5_000_030n }])
    await store.close()
    await pool.end()
    await database.drop()
  })

  it('are made by the append that needs them where nobody made them, several at once where it needs several', async () => {
    const place = await partitionedPlace(3)
    const stores: readonly EventStore[] = [await place.open(), await place.open()]
    const asked = Array.from({ length: 120 }, (_, at) => stores[at % 2]?.execute(change(`${at}`, `t${at % 5}`, 1)))
    await Promise.all(asked)
    const all: RecordedEvent[] = await collect((stores[0] as EventStore).readAll())
    expect(all).toHaveLength(120)
    const partitions = await listPartitions(place.pool)
    expect(partitions.length).toBeGreaterThanOrEqual(40)
    partitions.slice(1).forEach(({ since }, at) => expect(since).toBe(partitions[at]?.upto))
    expect(await verifyAll(place.pool)).toEqual({ streams: 5, events: 120, elsewhere: 0, faults: [] })
    await place.close()
  })

  it('are made ahead of time, by several processes at once only once', async () => {
    const place = await partitionedPlace(50)
    const store = await place.open()
    await store.execute(change('one', 'ahead', 1))
    await Promise.all(Array.from({ length: 5 }, () => makeRoom(place.pool)))
    const { rows } = await place.pool.query<{ ahead: bigint; last: bigint }>(
      'SELECT partitioned_to - position AS ahead, (SELECT max(upto) FROM partitions) - partitioned_to AS last FROM store',
    )
    expect(rows[0]?.ahead).toBeGreaterThan(50n)
    expect(rows[0]?.last).toBe(0n)
    expect(await roomLeft(place.pool)).toBeGreaterThan(1)
    const made = await listPartitions(place.pool)
    await makeRoom(place.pool)
    await store.execute(change('two', 'ahead', 1))
    await place.pool.query('UPDATE store SET position = partitioned_to - 26')
    expect(await roomLeft(place.pool)).toBe(0.5)
    await makeRoom(place.pool)
    expect(await roomLeft(place.pool)).toBe(1.5)
    expect((await listPartitions(place.pool)).slice(0, -1)).toEqual(made.map((each) => ({ ...each, size_bytes: expect.any(Number) })))
    await place.close()
  })
})
