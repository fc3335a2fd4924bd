import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, StoreOverloaded, StoreUnavailable, type EventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { change, commandOf, move, publishTally, tally, tallyType } from './testing/tally.js'

describe('the event store under faults of PostgreSQL', () => {
  let database: TestDatabase
  let pool: pg.Pool
  const open = (more: { maxQueued?: number; retryFor_ms?: number } = {}): Promise<EventStore> =>
    openEventStore({ pool, postgres: database, types: [tallyType], publish: publishTally, clock: systemClock, app: 'faulty', ...more })

  beforeAll(async () => {
    database = await createTestDatabase(eventStoreMigrations)
    pool = createPool(database)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it('loses nothing acknowledged and applies nothing twice while its connections are killed', async () => {
    const store = await open()
    const clients = 24
    const perClient = 40
    let working = true
    let killed = 0
    // A kill whenever some more commands were acknowledged: at any moment of the batch that is then under way.
    const killer = async () => {
      for (let seen = 0; working; await new Promise((resolve) => setTimeout(resolve, 1))) {
        if (answers.size < seen + 60) continue
        seen = answers.size
        const { rowCount } = await pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'faulty-commands' AND datname = current_database()`,
        )
        killed += rowCount ?? 0
      }
    }
    const answers = new Map<string, string>()
    const client = async (at: number) => {
      for (let count = 0; count < perClient; count++) {
        const id = `kill-${at}-${count}`
        const command = count % 4 === 3 ? move(id, `k${at % 5}`, `k${(at + 1) % 5}`, 1) : change(id, `k${at % 5}`, 1)
        for (;;) {
          try {
            answers.set(id, (await store.execute(command)).answer)
            break
          } catch (error) {
            // Not acknowledged: the caller sends it again under the same id.
            if (!(error instanceof StoreUnavailable)) throw error
          }
        }
      }
    }
    const killing = killer()
    try {
      await Promise.all(Array.from({ length: clients }, (_, at) => client(at)))
    } finally {
      working = false
      await killing
    }
    expect(killed).toBeGreaterThan(3)
    expect(answers.size).toBe(clients * perClient)

    const perCommand = new Map<string, number>()
    for await (const event of store.readAll()) {
      const { commandId } = event.metadata
      perCommand.set(commandId, (perCommand.get(commandId) ?? 0) + 1)
    }
    for (const [id, answer] of answers)
      expect([id, perCommand.get(id) ?? 0]).toEqual([id, answer === 'moved' ? 2 : answer === 'refused' ? 0 : 1])
    for (let at = 0; at < 5; at++) expect(await store.verify(`tally-k${at}`)).toMatchObject({ ok: true })
    await store.close()
  })

  it('says that it is unavailable while the tables are held, in bounded time, and goes on afterwards', async () => {
    const slow = { ...database, statementTimeout_ms: 100 }
    const store = await openEventStore({
      pool,
      postgres: slow,
      types: [tallyType],
      publish: publishTally,
      clock: systemClock,
      app: 'held',
      retryFor_ms: 300,
    })
    const holder = await pool.connect()
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE streams IN ACCESS EXCLUSIVE MODE')
    await expect(store.execute(change('held-1', 'held', 1))).rejects.toBeInstanceOf(StoreUnavailable)
    await holder.query('ROLLBACK')
    holder.release()
    expect(await store.execute(change('held-1', 'held', 1))).toEqual({ answer: 'total 1', replayed: false })
    await store.close()
  })

  it('gives up with a trip only those that were in it: what did not fit goes with the next', async () => {
    const short = { ...database, statementTimeout_ms: 100 }
    const parts = { pool, postgres: short, types: [tallyType], publish: publishTally, clock: systemClock, app: 'large', retryFor_ms: 300 }
    const store = await openEventStore(parts)
    const holder = await pool.connect()
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE streams IN SHARE MODE')
    let released: Promise<unknown> | undefined
    // Of 4 MiB a trip, so that the last ones wait for another.
    const large = (at: number) =>
      commandOf(`large-${at}`, [tally(`large-${at}`)], () => ({
        appends: [{ stream: tally(`large-${at}`), events: [{ type: 'Changed', data: { by: 0, ballast: 'x'.repeat(900_000) } }] }],
        answer: '',
      }))
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, at) =>
        store.execute(large(at)).catch((error: unknown) => {
          released ??= holder.query('ROLLBACK')
          throw error
        }),
      ),
    )
    await released
    holder.release()
    const there = await Promise.all(outcomes.map(async (_, at) => (await store.load(tally(`large-${at}`))).version === 1))
    expect(there).toEqual(outcomes.map(({ status }) => status === 'fulfilled'))
    expect(new Set(there)).toEqual(new Set([true, false]))
    await store.close()
  })

  it('refuses at once what its bounded queue does not hold', async () => {
    const store = await open({ maxQueued: 10 })
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, (_, at) => store.execute(change(`full-${at}`, 'full', 1))))
    const rejected = outcomes.filter(({ status }) => status === 'rejected')
    expect(rejected).toHaveLength(20)
    for (const outcome of rejected) expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(StoreOverloaded)
    expect((await store.load(tally('full'))).version).toBe(10)
    await store.close()
  })

  it('fails alone a command that the database cannot take, among its neighbours', async () => {
    await pool.query(`ALTER TABLE events ADD CONSTRAINT no_bombs CHECK (type <> 'Bomb') NOT VALID`)
    const store = await open()
    await store.execute(change('bomb-0', 'bomb', 1))
    const bomb = commandOf('bomb-1', [tally('bomb')], () => ({
      appends: [{ stream: tally('bomb'), events: [{ type: 'Bomb', data: { by: 1 } }] }],
      answer: '',
    }))
    const [first, failed, second] = await Promise.allSettled([
      store.execute(change('bomb-2', 'bomb', 1)),
      store.execute(bomb),
      store.execute(change('bomb-3', 'bomb', 1)),
    ])
    expect([first?.status, failed?.status, second?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await store.load(tally('bomb'))).version).toBe(3)
    await store.close()
  })

  it('gives way to nobody for ever: a writer that is always beaten decides under the lock', async () => {
    const [steady, rival] = [await open(), await open()]
    const work = async (store: EventStore, name: string) => {
      const answers = Array.from({ length: 60 }, (_, at) => store.execute(change(`${name}-${at}`, 'hot', 1)))
      await Promise.all(answers)
    }
    await Promise.all([work(steady, 's'), work(rival, 'r'), work(steady, 't'), work(rival, 'u')])
    expect((await rival.load(tally('hot'))).state.total).toBe(240)
    await steady.close()
    await rival.close()
  })
})
