import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ArchiveRefused, verifyAll, type EventStore } from '#event-store'
import { eventually } from '#kernel/testing'
import { pgTransactions } from '#postgres'
import type pg from 'pg'
import { partitionedPlace, type PartitionedPlace } from '../testing/partitioned.js'
import { change } from '../testing/tally.js'

describe('archiving beside a transaction that stays open', () => {
  let place: PartitionedPlace
  let store: EventStore
  let reader: pg.PoolClient
  beforeAll(async () => {
    place = await partitionedPlace(10)
    store = await place.open()
    for (let at = 0; at < 30; at++) {
      // The first partition of an empty store holds nothing, and goes.
      if (at === 10) await place.archiveAll()
      await store.execute(change(`${at}-a`, `${at}`, 1))
      await store.execute(change(`${at}-b`, `${at}`, at % 2 === 0 ? 99 : 1))
    }
    reader = await place.pool.connect()
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await reader.query('SET LOCAL idle_in_transaction_session_timeout = 0')
    await reader.query('SELECT FROM events LIMIT 1')
  })
  afterAll(async () => {
    reader.release(true)
    await place.close()
  })

  const pending = async (): Promise<boolean> => (await place.pool.query('SELECT FROM pg_inherits WHERE inhdetachpending')).rowCount === 1
  const waits = `SELECT pid FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE events DETACH%' AND wait_event_type = 'Lock' AND datname = current_database()`
  /** It waits now and then: where it does not just then, it is not cut off. */
  const cutOff = async (run: Promise<unknown>): Promise<void> => {
    let over = false
    void run.then(() => (over = true))
    await eventually(
      'it is cut off',
      async () => {
        await place.pool.query(`SELECT pg_cancel_backend(pid) FROM (${waits}) AS w`)
        return over
      },
      10_000,
    )
  }

  it('lets appends and streams that come back pass, also in a transaction that then appends', async () => {
    const first = place.archiveAll().catch((error: unknown) => error)
    await eventually('a partition is being detached', pending, 10_000)
    await cutOff(first)
    expect(await first).toMatchObject({ code: '57014' })
    const { rows } = await place.pool.query<{ stream_id: string }>(
      'SELECT s.stream_id FROM streams s JOIN pg_inherits i ON i.inhdetachpending AND i.inhrelid = to_regclass(s.archive) ORDER BY 1 LIMIT 1',
    )
    expect(rows).toHaveLength(1)
    const archived = (rows[0]?.stream_id ?? '').replace('tally-', '')

    const second = place.archiveAll()
    await eventually('it waits', async () => (await place.pool.query(waits)).rowCount === 1, 10_000)
    const asked = [
      pgTransactions(place.pool).run((tx) => store.executeAll([change('within', archived, 5)], tx)),
      ...Array.from({ length: 20 }, (_, at) => store.execute(change(`meanwhile-${at}`, `1`, 1))),
    ]
    const answers = (await Promise.all(asked)).flat()
    expect(answers[0]).toEqual({ answer: 'total 105', replayed: false })
    expect(answers).toHaveLength(21)
    expect(await pending()).toBe(true)

    await reader.query('ROLLBACK')
    expect((await second).length).toBeGreaterThan(0)
    expect(await pending()).toBe(false)
    expect((await verifyAll(place.pool)).faults).toEqual([])
  })

  it('gives up in the end, and says for whom it waited; the next run goes on', async () => {
    for (let at = 30; at < 50; at++) await store.execute(change(`${at}-b`, `${at}`, 100))
    await reader.query('BEGIN')
    await reader.query('SELECT FROM events LIMIT 1')
    const hastened = { ...place.clock, sleep: () => Promise.resolve() }
    const refused = await place.archiveAll({}, hastened).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ArchiveRefused)
    const { rows } = await reader.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    expect(refused).toHaveProperty('message', expect.stringContaining(`${rows[0]?.pid}`))
    expect(await pending()).toBe(true)
    expect((await verifyAll(place.pool)).faults).toEqual([])
    await reader.query('ROLLBACK')
    expect((await place.archiveAll()).length).toBeGreaterThan(0)
    expect(await pending()).toBe(false)
  })
})
