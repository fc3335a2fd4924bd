import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ArchiveMissing, eventStoreMigrations, MessagesSwept, sweep, type EventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool, migrate } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { partitionedPlace, type PartitionedPlace } from '../testing/partitioned.js'
import { change, commandOf, messageOf, tally } from '../testing/tally.js'

/** What a relay that begins after `position` publishes, page by page. */
const published = async ({ outbox }: EventStore, position: bigint): Promise<bigint[]> => {
  const positions: bigint[] = []
  for (let after = position; ;) {
    const page = await outbox.after(after, 7)
    if (page.length === 0) return positions
    positions.push(...page.map((entry) => entry.position))
    after = page.at(-1)?.position ?? after
  }
}

describe('a relay that was set back', () => {
  let place: PartitionedPlace
  let store: EventStore
  beforeAll(async () => {
    place = await partitionedPlace(10)
    store = await place.open()
    for (let at = 0; at < 20; at++) {
      await store.execute(change(`${at}-a`, `${at}`, 1))
      await store.execute(change(`${at}-b`, `${at}`, at % 2 === 0 ? 99 : 1))
    }
  })
  afterAll(() => place.close())
  const archiveOfOne = async (): Promise<{ readonly name: string; readonly upto: bigint }> => {
    const { rows } = await place.pool.query<{ name: string; upto: bigint }>(
      'SELECT name, upto FROM partitions WHERE archived_at IS NOT NULL ORDER BY since LIMIT 1',
    )
    return rows[0] ?? { name: 'none', upto: 0n }
  }

  it('publishes the events of archived streams again, each once and in order, and stands where their archive is away', async () => {
    const before = await published(store, 0n)
    expect(before).toHaveLength(40)
    await place.archiveAll()
    expect((await place.pool.query('SELECT FROM streams WHERE archive IS NOT NULL')).rowCount).toBeGreaterThan(4)
    expect(await published(store, 0n)).toEqual(before)
    const middle = before[11] ?? 0n
    expect(await published(store, middle)).toEqual(before.slice(12))

    const { name, upto } = await archiveOfOne()
    await place.pool.query(`ALTER TABLE ${name} RENAME TO elsewhere`)
    await expect(store.outbox.after(0n, 100)).rejects.toEqual(new ArchiveMissing(name))
    expect(await published(store, upto)).toEqual(before.filter((position) => position > upto))
    await place.pool.query(`ALTER TABLE elsewhere RENAME TO ${name}`)
    expect(await published(store, 0n)).toEqual(before)
  })

  it('publishes each event once while its archive is still a partition', async () => {
    const before = await published(store, 0n)
    const { rows } = await place.pool.query<{ name: string }>(
      'SELECT name FROM partitions WHERE archived_at IS NULL ORDER BY since LIMIT 1',
    )
    const name = rows[0]?.name ?? ''
    await place.pool.query('UPDATE partitions SET archived_at = 0 WHERE name = $1', [name])
    expect(await published(store, 0n)).toEqual(before)
    await place.pool.query('UPDATE partitions SET archived_at = NULL WHERE name = $1', [name])
  })

  it('stands before messages that were swept, and says which and what to do; whoever gives them up goes on', async () => {
    await store.execute(commandOf('note', [tally('noted')], () => ({ appends: [], messages: [messageOf('note')], answer: '' })))
    const before = await published(store, 0n)
    const note = before.at(-1) ?? 0n
    await place.pool.query('UPDATE relay SET position = $1', [note])
    expect(await sweep(place.pool, systemClock, 86_400_000)).toMatchObject({ messages: 1 })
    expect(await published(store, note)).toEqual([])
    const refused = await store.outbox.after(note - 1n, 10).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(MessagesSwept)
    expect(refused).toHaveProperty('message', expect.stringContaining(`UPDATE relay SET swept = ${note - 1n}`))
    await expect(store.outbox.after(0n, 10)).rejects.toBeInstanceOf(MessagesSwept)
    await place.pool.query('UPDATE relay SET swept = 0')
    expect(await published(store, 0n)).toEqual(before.slice(0, -1))
  })

  it('takes all that it had passed for swept, in a store from before that was noted', async () => {
    const database = await createTestDatabase(eventStoreMigrations.slice(0, 4))
    const pool = createPool(database)
    await pool.query('UPDATE relay SET position = 90')
    await migrate({ url: database.url, schema: database.schema, migrations: eventStoreMigrations })
    expect((await pool.query<{ swept: bigint }>('SELECT swept FROM relay')).rows).toEqual([{ swept: 90n }])
    await pool.end()
    await database.drop()
  })
})
