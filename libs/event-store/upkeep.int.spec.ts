import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, sweep, type AnyStreamType, type EventStore } from '#event-store'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import fc from 'fast-check'
import type pg from 'pg'
import { byteaArray, int8Array, textArray } from './reading/binary-array.js'
import { change, commandOf, messageOf, publishTally, tally, tallyType, type Tally, type TallyEvent } from './testing/tally.js'

describe('what the event store keeps, on PostgreSQL', () => {
  let database: TestDatabase
  let pool: pg.Pool
  const stores: EventStore[] = []
  const open = async (type: AnyStreamType = tallyType): Promise<EventStore> => {
    const store = await openEventStore({ pool, postgres: database, types: [type], publish: publishTally, clock: systemClock, app: 'test' })
    stores.push(store)
    return store
  }

  beforeAll(async () => {
    database = await createTestDatabase(eventStoreMigrations)
    // A snapshot that waits is not given up meanwhile.
    pool = createPool({ ...database, statementTimeout_ms: 60_000 })
  })
  afterAll(async () => {
    for (const store of stores) await store.close()
    await pool.end()
    await database.drop()
  })

  const snapshotVersion = async (stream: string): Promise<number> => {
    for (let tries = 0; tries < 2_000; tries++) {
      const { rows } = await pool.query<{ version: bigint }>('SELECT max(version) AS version FROM snapshots WHERE stream_id = $1', [stream])
      if (rows[0]?.version) return Number(rows[0].version)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return 0
  }

  it('takes snapshots, begins loads with them, and ignores those of another shape', async () => {
    const store = await open()
    for (let at = 0; at < 12; at++) await store.execute(change(`snap-${at}`, 'snap', 1))
    expect(await snapshotVersion('tally-snap')).toBeGreaterThanOrEqual(10)
    // What a snapshot says is believed: that is how one sees that it was used.
    await pool.query(`UPDATE snapshots SET state = convert_to('{"total":1000,"changes":0}', 'UTF8') WHERE stream_id = 'tally-snap'`)
    const reopened = await open()
    expect((await reopened.load(tally('snap'))).state.total).toBeGreaterThanOrEqual(1_000)
    const changed: AnyStreamType = {
      ...(tallyType as AnyStreamType),
      evolve: (state, event) => tallyType.evolve(state as Tally, event as TallyEvent),
    }
    const after = await open(changed)
    expect(await after.load<Tally>({ type: changed as typeof tallyType, id: 'snap' })).toEqual({
      version: 12,
      state: { total: 12, changes: 12 },
    })
  })

  it('lets no command wait for a snapshot: those of a stream go on while its snapshot cannot be written, and it is there afterwards', async () => {
    const store = await open()
    await store.execute(change('aside-0', 'aside', 1))
    const other = await pool.connect()
    await other.query('SET idle_in_transaction_session_timeout = 0')
    await other.query('BEGIN')
    await other.query('LOCK TABLE snapshots IN ACCESS EXCLUSIVE MODE')
    const waiting = async () => (await pool.query(`SELECT FROM pg_locks WHERE relation = 'snapshots'::regclass AND NOT granted`)).rowCount
    const answers: unknown[] = []
    const go = async () => {
      for (let at = 1; at < 40; at++) answers.push((await store.execute(change(`aside-${at}`, 'aside', 1))).answer)
    }
    const going = go()
    try {
      await eventually('a snapshot waits', async () => (await waiting()) === 1)
      await eventually('all commands are answered', () => answers.at(-1) === 'total 40')
      expect(await waiting()).toBe(1)
    } finally {
      await other.query('ROLLBACK')
      other.release(true)
      await going
    }
    expect(await snapshotVersion('tally-aside')).toBeGreaterThanOrEqual(10)
  })

  it('takes no snapshot of what was rolled back, and ignores one of another history', async () => {
    const store = await open()
    for (let at = 0; at < 12; at++) await store.execute(change(`alien-${at}`, 'alien', 1))
    expect(await snapshotVersion('tally-alien')).toBeGreaterThanOrEqual(10)
    await pool.query(
      `UPDATE snapshots SET hash = sha256('another'), state = convert_to('{"total":-1}', 'UTF8') WHERE stream_id = 'tally-alien'`,
    )
    expect((await (await open()).load(tally('alien'))).state.total).toBe(12)
  })

  it.each([
    ['a changed payload', `UPDATE events SET payload = convert_to('{"by":9}', 'UTF8') WHERE stream_id = $1 AND version = 3`, 3],
    [
      'changed metadata',
      `UPDATE events SET metadata = convert_to(replace(convert_from(metadata, 'UTF8'), 'tester', 'nobody'), 'UTF8') WHERE stream_id = $1 AND version = 2`,
      2,
    ],
    ['a changed time', `UPDATE events SET recorded_at = recorded_at - 1 WHERE stream_id = $1 AND version = 4`, 4],
    ['a deleted event', `DELETE FROM events WHERE stream_id = $1 AND version = 2`, 2],
    ['a deleted last event', `DELETE FROM events WHERE stream_id = $1 AND version = 5`, 5],
    ['two that changed places', `UPDATE events SET version = 103 - version WHERE stream_id = $1 AND version IN (1, 2)`, 1],
  ])('finds %s', async (name, tamper, brokenAt) => {
    const store = await open()
    const id = name.replaceAll(' ', '-')
    for (let at = 0; at < 5; at++) await store.execute(change(`${id}-${at}`, id, at))
    expect(await store.verify(`tally-${id}`)).toMatchObject({ ok: true, checkedEvents: 5 })
    await pool.query(tamper, [`tally-${id}`])
    expect(await store.verify(`tally-${id}`)).toMatchObject({ ok: false, brokenAt })
  })

  it('forgets answers to HTTP after their retention and messages that the relay has passed, and only those', async () => {
    const store = await open()
    const noted = (id: string) => commandOf(id, [tally('sweep')], () => ({ appends: [], messages: [messageOf(id)], answer: id }))
    await store.execute(noted('http:sweep-1'))
    await store.execute(noted('message-1'))
    const lease = await store.outbox.lease('sweeper', 60_000, 'log')
    const [entry] = (await store.outbox.after(0n, 1_000_000)).slice(-1)
    expect(await store.outbox.advance(lease?.epoch ?? 0n, entry?.position ?? 0n)).toBe(true)
    await store.execute(noted('sweep-2'))
    await pool.query(`UPDATE commands SET recorded_at = recorded_at - 100000000 WHERE command_id IN ('http:sweep-1', 'message-1')`)
    expect(await sweep(pool, systemClock, 86_400_000)).toEqual({ commands: 1, messages: 2 })
    expect(await store.execute(noted('message-1'))).toEqual({ answer: 'message-1', replayed: true })
    expect(await store.execute(noted('sweep-2'))).toEqual({ answer: 'sweep-2', replayed: true })
    expect((await pool.query('SELECT message_id FROM outbox')).rows).toEqual([{ message_id: 'note-sweep-2' }])
  })

  it('forgets no answer to HTTP within a day, however short the retention it is given', async () => {
    const store = await openEventStore({
      pool,
      postgres: database,
      types: [tallyType as AnyStreamType],
      publish: publishTally,
      clock: systemClock,
      app: 'test',
      commandRetention_ms: 1,
      sweepEvery_ms: 5,
    })
    stores.push(store)
    for (const id of ['http:young', 'http:old']) await store.execute(change(id, 'retained', 1))
    const hour_ms = 3_600_000
    await pool.query(
      `UPDATE commands SET recorded_at = $1 - CASE command_id WHEN 'http:old' THEN 25 ELSE 23 END * $2::bigint WHERE command_id IN ('http:young', 'http:old')`,
      [systemClock.now(), hour_ms],
    )
    const left = async () =>
      (await pool.query<{ command_id: string }>(`SELECT command_id FROM commands WHERE command_id IN ('http:young', 'http:old')`)).rows
    for (let tries = 0; tries < 4_000 && (await left()).length === 2; tries++) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await left()).toEqual([{ command_id: 'http:young' }])
    expect(await store.execute(change('http:young', 'retained', 1))).toEqual({ answer: 'total 1', replayed: true })
  })

  it('sends arrays in binary as they are', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((each) => !each.includes('\0'))
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 300 }),
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 60 }),
        fc.array(fc.maxSafeNat()),
        async (texts, bytes, numbers) => {
          const { rows } = await pool.query({
            text: 'SELECT $1::text[] AS texts, $2::bytea[] AS bytes, $3::bigint[] AS numbers',
            values: [textArray(texts), byteaArray(bytes), int8Array(numbers)],
          })
          expect(rows[0]).toEqual({ texts, bytes: bytes.map((each) => Buffer.from(each)), numbers: numbers.map((each) => String(each)) })
        },
      ),
      { numRuns: 50 },
    )
  })
})
