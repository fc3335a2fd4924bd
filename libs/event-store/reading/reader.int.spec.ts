import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, type EventStore, type RecordedEvent } from '#event-store'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { commandOf, tally, tallyType } from '../testing/tally.js'

const EVENTS = 6_000
/** What a reader may have fetched and not given out. */
const PAGE = 1_000

let database: TestDatabase
let pool: pg.Pool
let store: EventStore
/** The pool gets its connection back in a turn of the event loop; a reader that kept it would keep it for good. */
const unused = () => eventually('the connection is free', () => pool.totalCount === pool.idleCount && pool.waitingCount === 0, 5_000)
/** Rows that came back to the readers, of the one connection that they share. */
let fetched = 0

beforeAll(async () => {
  database = await createTestDatabase(eventStoreMigrations)
  pool = createPool({ ...database, maxConnections: 1 })
  // Each event is published as none: the relay's reads are not counted.
  store = await openEventStore({ pool, postgres: database, types: [tallyType], publish: () => [], clock: systemClock, app: 'reading' })
  for (let at = 0; at < EVENTS / 1_000; at++)
    await store.execute(
      commandOf(`many-${at}`, [tally('many')], () => ({
        appends: [{ stream: tally('many'), events: Array.from({ length: 1_000 }, () => ({ type: 'Changed', data: { by: 1 } })) }],
        answer: '',
      })),
    )
  const { query } = pool
  pool.query = async function (this: pg.Pool, ...given: unknown[]) {
    const result = (await Reflect.apply(query, this, given)) as pg.QueryResult
    fetched += result.rows.length
    return result
  } as never
})
afterAll(async () => {
  await store.close()
  await pool.end()
  await database.drop()
})

const readers: readonly (readonly [string, () => AsyncIterable<RecordedEvent>])[] = [
  ['a stream', () => store.readStream('tally-many')],
  ['a category', () => store.readAll({ category: 'tally' })],
  ['everything', () => store.readAll()],
  ['everything, and what comes', () => store.readAll({ follow: new AbortController().signal })],
]

describe.each(readers)('a reader of %s', (_, read) => {
  it('that is slow has a page fetched ahead of it and no more, and holds no connection while it is', async () => {
    const reader = read()[Symbol.asyncIterator]()
    fetched = 0
    for (let taken = 1; taken <= EVENTS; taken++) {
      expect((await reader.next()).value).toMatchObject({ version: taken })
      // A row or two beside the page: which archives there are.
      expect(fetched - taken).toBeLessThan(PAGE + 10)
      if (taken % 1_500 === 1) await unused()
    }
    await reader.return?.()
  })

  it('that stops early has fetched one page, and the one connection is free for the next', async () => {
    fetched = 0
    for (let at = 0; at < 3; at++) {
      let seen = 0
      for await (const event of read()) {
        expect(event.version).toBe(++seen)
        if (seen === 3) break
      }
    }
    expect(fetched).toBeLessThan(3 * (PAGE + 10))
    await unused()
    const { rows } = await pool.query<{ busy: number }>(
      `SELECT count(*)::int AS busy FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
    )
    expect(rows[0]?.busy).toBe(0)
  })

  it('that goes on to the end sees each once, in order', async () => {
    let seen = 0
    for await (const { version } of read()) {
      expect(version).toBe(++seen)
      if (seen === EVENTS) break
    }
    expect(seen).toBe(EVENTS)
  })
})
