import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, type BatchReport, type EventStore } from '#event-store'
import { systemClock, type Clock } from '#kernel'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import pg from 'pg'
import { change, commandOf, move, publishTally, tally, tallyType } from '../testing/tally.js'

/** No snapshots: what is written here is written by commands alone. */
const type = { ...tallyType, snapshotEvery: 0 }
const on = (id: string) => ({ type, id })

let database: TestDatabase
let pool: pg.Pool
const stores: EventStore[] = []
const reports: BatchReport[] = []

const open = async (clock: Clock = systemClock, onBatch = (report: BatchReport) => void reports.push(report)): Promise<EventStore> => {
  const store = await openEventStore({ pool, postgres: database, types: [type], publish: publishTally, clock, app: 'co', onBatch })
  stores.push(store)
  return store
}
const silent = () => undefined

/** Transactions that wrote events of these streams: PostgreSQL's own count of commits. */
const commits = async (streams: string): Promise<number> => {
  const { rows } = await pool.query<{ n: number }>('SELECT count(DISTINCT xmin::text)::int AS n FROM events WHERE stream_id LIKE $1', [
    streams,
  ])
  return rows[0]?.n ?? 0
}

/** The names of the statements that went out while `work` ran: one for each trip. Not the doorbell of the relay: nobody waits for it. */
const trips = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
  const { prototype } = pg.Client
  const { query } = prototype
  const names: string[] = []
  const noting = function (this: pg.Client, ...given: unknown[]): unknown {
    names.push((given[0] as { name?: string }).name ?? String(given[0]))
    return Reflect.apply(query, this, given)
  }
  prototype.query = noting as typeof query
  try {
    await work()
  } finally {
    prototype.query = query
  }
  return names.filter((name) => name !== 'outbox_ring')
}

beforeAll(async () => {
  database = await createTestDatabase(eventStoreMigrations)
  pool = createPool(database)
})
afterAll(async () => {
  for (const store of stores) await store.close()
  await pool.end()
  await database.drop()
})

it('a load is one trip, with the snapshot and the events after it', async () => {
  // Closed when its snapshot is taken.
  const before = await openEventStore({
    pool,
    postgres: database,
    types: [tallyType],
    publish: publishTally,
    clock: systemClock,
    app: 'co',
  })
  for (let at = 1; at <= 10; at++) await before.execute(change(`tail-${at}`, 'tail', 1))
  await before.close()
  const store = await open()
  for (let at = 11; at <= 13; at++) await store.execute(change(`tail-${at}`, 'tail', 1))
  // What a snapshot says is believed: that is how one sees that it was used.
  await pool.query(
    `UPDATE snapshots SET state = convert_to('{"total":1000,"changes":10}', 'UTF8') WHERE stream_id = 'tally-tail' AND version = 10`,
  )
  const another = await open()
  let loaded: unknown
  expect(await trips(async () => (loaded = await another.load(tally('tail'))))).toEqual(['load_streams'])
  expect(loaded).toEqual({ version: 13, state: { total: 1_003, changes: 13 } })
})

describe('commands that come together', () => {
  it('go together: many of different streams take few trips and few commits', async () => {
    const store = await open()
    const many = 200
    // Known streams: nothing is to be loaded.
    await Promise.all(Array.from({ length: many }, (_, at) => store.execute(change(`warm-${at}`, `many-${at}`, 1))))
    const before = await commits('tally-many-%')
    reports.length = 0
    const names = await trips(() =>
      Promise.all(Array.from({ length: many }, (_, at) => store.execute(change(`go-${at}`, `many-${at}`, 1)))),
    )
    expect(names.length).toBeLessThanOrEqual(many / 10)
    expect(new Set(names)).toEqual(new Set(['append_commands']))
    expect((await commits('tally-many-%')) - before).toBe(names.length)
    expect([reports.length, reports.reduce((sum, { commands }) => sum + commands, 0)]).toEqual([names.length, many])
  })

  it('of one hot stream too, each decided on what those before it left', async () => {
    const store = await open()
    await store.execute(change('hot-0', 'hot', 1))
    const names = await trips(() =>
      Promise.all(Array.from({ length: 100 }, async (_, at) => (await store.execute(change(`hot-${at + 1}`, 'hot', 1))).answer)).then(
        (answers) => expect(answers).toEqual(Array.from({ length: 100 }, (_, at) => `total ${at + 2}`)),
      ),
    )
    expect(names.length).toBeLessThanOrEqual(10)
  })

  it('do not wait to come together: a lone one goes at once, though no timer ever fires', async () => {
    const stopped: Clock = {
      now: () => systemClock.now(),
      // What runs beside it, sweeps and the doorbell, sleeps until the store is closed.
      sleep: (_, signal) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))),
    }
    const store = await open(stopped, silent)
    await store.execute(change('lone-0', 'lone', 1))
    const { setTimeout: later, setInterval: often } = globalThis
    const armed = { ref: () => armed, unref: () => armed, refresh: () => armed, hasRef: () => false, close: () => armed }
    globalThis.setTimeout = (() => armed) as never
    globalThis.setInterval = (() => armed) as never
    try {
      const names = await trips(async () => expect((await store.execute(change('lone-1', 'lone', 1))).answer).toBe('total 2'))
      expect(names).toEqual(['append_command'])
    } finally {
      globalThis.setTimeout = later
      globalThis.setInterval = often
    }
  })

  it('do not touch each other: refused, thrown, ill-formed and moved ones share a commit with those that are well', async () => {
    const store = await open()
    const ids = Array.from({ length: 30 }, (_, at) => `n-${at}`)
    await Promise.all(ids.map((id) => store.execute(change(`${id}-0`, id, 1))))
    reports.length = 0
    const throws = (id: string) =>
      commandOf(`${id}-1`, [on(id)], () => {
        throw new Error(`no ${id}`)
      })
    const astray = (id: string) =>
      commandOf(`${id}-1`, [on(id)], () => ({ appends: [{ stream: on('elsewhere'), events: [] }], answer: '' }))
    const outcomes = await Promise.allSettled(
      ids.map((id, at) => {
        if (at % 5 === 0) return store.execute(change(`${id}-1`, id, -9))
        if (at % 5 === 1) return store.execute(throws(id))
        if (at % 5 === 2) return store.execute(astray(id))
        if (at % 5 === 3) return store.execute(move(`${id}-1`, id, ids[at + 1] ?? id, 1))
        return store.execute(change(`${id}-1`, id, 1))
      }),
    )
    expect(reports.length).toBeLessThanOrEqual(3)
    outcomes.forEach((outcome, at) => {
      const said = outcome.status === 'fulfilled' ? outcome.value.answer : String(outcome.reason)
      const expected = [/^refused at 1$/, new RegExp(`^Error: no n-${at}$`), /^TypeError: the command did not name/, /^moved$/, /^total 3$/]
      expect(said).toMatch(expected[at % 5] ?? /never/)
    })
    const versions = await Promise.all(ids.map(async (id) => (await store.load(tally(id))).version))
    expect(versions).toEqual(ids.map((_, at) => [1, 1, 1, 2, 3][at % 5]))
  })

  it('of one stream alone are decided again when another replica was faster there, on the tail that the same trip brought back', async () => {
    const [store, other] = [await open(), await open(systemClock, silent)]
    const ids = ['r-0', 'r-1', 'r-2', 'r-3']
    await Promise.all(ids.map((id) => store.execute(change(`${id}-0`, id, 1))))
    for (let at = 0; at < 5; at++) await other.execute(change(`rival-${at}`, 'r-1', 10))
    reports.length = 0
    const decided: string[] = []
    const add = (id: string, n: number) =>
      commandOf(`${id}-add-${n}`, [on(id)], (states) => {
        const { total } = states.of(on(id)).state
        decided.push(`${id} on ${total}`)
        return { appends: [{ stream: on(id), events: [{ type: 'Changed', data: { by: 1 } }] }], answer: `total ${total + 1}` }
      })
    let answers: readonly string[] = []
    const names = await trips(async () => {
      answers = await Promise.all([...ids, 'r-1'].map(async (id, at) => (await store.execute(add(id, at))).answer))
    })
    // Two trips, no load: the second is of the refused stream's two commands, on what the first brought back.
    expect(names).toEqual(['append_commands', 'append_commands'])
    expect(reports.map(({ commands, refused }) => [commands, refused])).toEqual([
      [5, 2],
      [2, 0],
    ])
    expect(answers).toEqual(['total 2', 'total 52', 'total 2', 'total 2', 'total 53'])
    expect(decided.slice(0, 5).toSorted()).toEqual(['r-0 on 1', 'r-1 on 1', 'r-1 on 2', 'r-2 on 1', 'r-3 on 1'])
    expect(decided.slice(5)).toEqual(['r-1 on 51', 'r-1 on 52'])
  })

  it('are decided on what another replica has just written, once it was faster on many of their streams, and are not refused any more', async () => {
    const [store, other] = [await open(), await open(systemClock, silent)]
    const all = Array.from({ length: 32 }, (_, at) => `both-${at}`)
    const [some, rest] = [all.slice(0, 16), all.slice(16)]
    const add = (by: EventStore, ids: readonly string[], round: string) =>
      Promise.all(ids.map((id) => by.execute(change(`${id}-${round}`, id, 1))))
    const refused = async (ids: readonly string[], round: string): Promise<number> => {
      reports.length = 0
      await add(store, ids, round)
      return reports.reduce((sum, report) => sum + report.refused, 0)
    }
    await add(store, all, 'first')
    await add(other, all, 'second')
    expect(await refused(all, 'third')).toBe(32)
    // From here on the store brings along what the other writes: with its batches on the rest comes what happened to some.
    await add(other, some, 'fourth')
    expect(await refused(rest, 'fifth')).toBe(0)
    expect(await refused(some, 'sixth')).toBe(0)
    // As it does not where it has no reason to: there it hears of it by being refused.
    const third = await open()
    await add(third, all, 'seventh')
    await add(other, some, 'eighth')
    await add(third, rest, 'ninth')
    reports.length = 0
    await add(third, some, 'tenth')
    expect(reports.reduce((sum, report) => sum + report.refused, 0)).toBe(16)
  })

  it('are not decided on a state that another replica’s events do not follow: one of a transaction that was rolled back', async () => {
    const [store, other] = [await open(), await open(systemClock, silent)]
    const ids = ['undone', ...Array.from({ length: 31 }, (_, at) => `sound-${at}`)]
    for (const [round, by] of [store, other, store].entries())
      await Promise.all(ids.map((id) => by.execute(change(`${id}-r${round}`, id, 1))))
    const rolledBack = pgTransactions(pool).run(async (tx) => {
      await store.executeAll([change('undone-never', 'undone', 100)], tx)
      throw new Error('rolled back')
    })
    await expect(rolledBack).rejects.toThrow('rolled back')
    // What the store keeps of it ends at the fourth event, which is now another, and the fifth follows that.
    for (const round of [4, 5]) await other.execute(change(`undone-r${round}`, 'undone', 1))
    await Promise.all(ids.slice(1).map((id) => store.execute(change(`${id}-r6`, id, 1))))
    expect((await store.execute(change('undone-r7', 'undone', 1))).answer).toBe('total 6')
  })
})
