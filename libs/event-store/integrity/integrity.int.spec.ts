import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  CheckpointRefused,
  CommandIdReused,
  eventStoreMigrations,
  exportEvents,
  importEvents,
  ImportRefused,
  openEventStore,
  readCheckpoint,
  replayStream,
  stateAt,
  typesByCategory,
  verifyAll,
  writeCheckpoint,
  type AnyStreamType,
  type CheckpointSeal,
  type EventStore,
  type StreamHead,
} from '#event-store'
import { systemClock } from '#kernel'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { generateKeyPairSync } from 'node:crypto'
import pg from 'pg'
import { eventHash, NO_HASH } from './hash-chain.js'
import { change, commandOf, messageOf, move, publishTally, tally, tallyType } from '../testing/tally.js'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')

interface Place {
  readonly database: TestDatabase
  readonly pool: pg.Pool
  readonly store: EventStore
  close(): Promise<void>
}

const makePlace = async (type: AnyStreamType = tallyType as AnyStreamType): Promise<Place> => {
  const database = await createTestDatabase(eventStoreMigrations)
  const pool = createPool(database)
  const store = await openEventStore({ pool, postgres: database, types: [type], publish: publishTally, clock: systemClock, app: 'test' })
  const close = async () => {
    await store.close()
    await pool.end()
    await database.drop()
  }
  return { database, pool, store, close }
}

/** Ten tallies of five events each, and moves between them. */
const fill = async (store: EventStore): Promise<void> => {
  for (let at = 0; at < 50; at++) await store.execute(change(`fill-${at}`, `t${at % 10}`, 10))
  for (let at = 0; at < 9; at++) await store.execute(move(`move-${at}`, `t${at}`, `t${at + 1}`, 1))
}

const linesOf = async function* (lines: readonly string[]) {
  yield* lines
}
const written = async (write: (into: (line: string) => Promise<void>) => Promise<unknown>): Promise<string[]> => {
  const lines: string[] = []
  await write(async (line) => void lines.push(line))
  return lines
}
const headsOf = async (lines: readonly string[], key = publicKey): Promise<readonly StreamHead[]> => {
  const heads: StreamHead[] = []
  for await (const head of readCheckpoint(linesOf(lines), key)) heads.push(head)
  return heads
}

/** How many rows each COPY brought while `work` ran. */
const copied = async (work: () => Promise<unknown>): Promise<readonly number[]> => {
  const { prototype } = pg.Client
  const { query } = prototype
  const rows: number[] = []
  prototype.query = function (this: pg.Client, ...given: unknown[]): unknown {
    const copy = given[0] as { readonly text?: string; handleCopyData(message: unknown): void }
    if (copy.text?.startsWith('COPY')) {
      // Its end comes as a row does.
      const at = rows.push(-1) - 1
      const handle = copy.handleCopyData.bind(copy)
      copy.handleCopyData = (message) => {
        rows[at] = (rows[at] ?? 0) + 1
        handle(message)
      }
    }
    return Reflect.apply(query, this, given)
  } as typeof query
  try {
    await work()
  } finally {
    prototype.query = query
  }
  return rows
}

it('a store is verified a page of its events at a time, however long its streams are', async () => {
  const { store, pool, close } = await makePlace({ ...(tallyType as AnyStreamType), snapshotEvery: 0 })
  try {
    const events = Array.from({ length: 1_000 }, () => ({ type: 'Changed', data: { by: 1 } }))
    for (const [at, id] of ['a', 'a', 'a', 'b', 'b'].entries())
      await store.execute(commandOf(`${id}-${at}`, [tally(id)], () => ({ appends: [{ stream: tally(id), events }], answer: '' })))
    let verified: unknown
    expect(await copied(async () => (verified = await verifyAll(pool)))).toEqual([2_000, 2_000, 1_000])
    expect(verified).toEqual({ streams: 2, events: 5_000, elsewhere: 0, faults: [] })
  } finally {
    await close()
  }
})

describe('what a superuser changed behind the store', () => {
  let place: Place
  let checkpoint: string[]
  beforeAll(async () => {
    place = await makePlace()
    await fill(place.store)
    checkpoint = await written((write) => writeCheckpoint(place.pool, privateKey, Date.now(), write))
    // Written after the checkpoint: sound all the same.
    await place.store.execute(change('after', 't0', 5))
    await place.store.execute(change('new', 'new', 5))
    await place.store.execute(change('newer', 'new', 5))
  })
  afterAll(() => place.close())

  /** Rewrites a stream from a version on, with every hash and the head as they then must be: its chain is sound again. */
  const rewriteChain = async (stream: string): Promise<void> => {
    const { rows } = await place.pool.query('SELECT * FROM events WHERE stream_id = $1 ORDER BY version', [stream])
    let hash: Buffer = NO_HASH
    for (const row of rows) {
      const payload = Number(row.version) === 2 ? Buffer.from('{"by":1000000}') : (row.payload as Buffer)
      const version = Number(row.version)
      const time = Number(row.recorded_at)
      hash = eventHash({ stream, version, type: row.type, schemaVersion: row.schema_version, time, payload, metadata: row.metadata }, hash)
      await place.pool.query('UPDATE events SET payload = $1, hash = $2 WHERE position = $3', [payload, hash, row.position])
    }
    await place.pool.query('UPDATE streams SET head = $1 WHERE stream_id = $2', [hash, stream])
  }
  const run = (text: string) => async (): Promise<void> => {
    await place.pool.query(text)
  }

  /** In the order in which they are done: what one broke stays broken. */
  it.each([
    ['nothing', async (): Promise<void> => undefined, undefined],
    [
      'a changed event',
      run(`UPDATE events SET payload = convert_to('{"by":99}', 'UTF8') WHERE stream_id = 'tally-t1' AND version = 3`),
      { stream: 'tally-t1', fault: 'broken', version: 3 },
    ],
    [
      'a deleted event',
      run(`DELETE FROM events WHERE stream_id = 'tally-t2' AND version = 4`),
      { stream: 'tally-t2', fault: 'broken', version: 4 },
    ],
    [
      'two that changed places',
      run(`UPDATE events SET version = 103 - version WHERE stream_id = 'tally-t3' AND version IN (1, 2)`),
      { stream: 'tally-t3', fault: 'broken', version: 1 },
    ],
    [
      'an event put in at the end, the head with it',
      run(`WITH put AS (
        INSERT INTO events SELECT position + 1000000, stream_id, version + 1, type, schema_version, payload, metadata, sha256(hash), recorded_at
        FROM events WHERE stream_id = 'tally-t4' AND version = 7 RETURNING hash)
        UPDATE streams SET version = 8, head = put.hash FROM put WHERE stream_id = 'tally-t4'`),
      { stream: 'tally-t4', fault: 'broken', version: 8 },
    ],
    [
      'a stream whose last event is gone, the head with it',
      run(`WITH gone AS (DELETE FROM events WHERE stream_id = 'tally-t5' AND version = 7)
        UPDATE streams SET version = 6, head = (SELECT hash FROM events WHERE stream_id = 'tally-t5' AND version = 6) WHERE stream_id = 'tally-t5'`),
      { stream: 'tally-t5', fault: 'rewritten', version: 7 },
    ],
    ['a whole chain rewritten', () => rewriteChain('tally-t6'), { stream: 'tally-t6', fault: 'rewritten', version: 7 }],
    [
      'a stream that is gone altogether',
      run(`WITH gone AS (DELETE FROM events WHERE stream_id = 'tally-t7') DELETE FROM streams WHERE stream_id = 'tally-t7'`),
      { stream: 'tally-t7', fault: 'rewritten', version: 7 },
    ],
    [
      'a changed category',
      run(`UPDATE streams SET category = 'x' WHERE stream_id = 'tally-t9'`),
      { stream: 'tally-t9', fault: 'other-category', version: 6 },
    ],
    [
      'a position beyond the last one given out',
      run(`UPDATE events SET position = 1000000 WHERE stream_id = 'tally-t0' AND version = 7`),
      { stream: 'tally-t0', fault: 'misplaced', version: 7 },
    ],
    [
      'two positions of a stream exchanged',
      run(`UPDATE events SET position = position + 500000 WHERE stream_id = 'tally-new' AND version = 2;
        UPDATE events SET position = position + 1 WHERE stream_id = 'tally-new' AND version = 1;
        UPDATE events SET position = position - 500001 WHERE stream_id = 'tally-new' AND version = 2`),
      { stream: 'tally-new', fault: 'misplaced', version: 2 },
    ],
    [
      'a changed event behind a changed category',
      run(`UPDATE events SET payload = convert_to('{"by":99}', 'UTF8') WHERE stream_id = 'tally-t9' AND version = 3`),
      { stream: 'tally-t9', fault: 'broken', version: 3 },
    ],
    [
      'a lost row of a stream',
      run(`DELETE FROM streams WHERE stream_id = 'tally-t8'`),
      { stream: 'tally-t8', fault: 'other-head', version: 7 },
    ],
    [
      'a stream without its events',
      run(`INSERT INTO streams VALUES ('tally-aaa', 'tally', 3, sha256('x'), 0)`),
      { stream: 'tally-aaa', fault: 'other-head', version: 0 },
    ],
  ] as const)('is found with a checkpoint: %s', async (_, tamper, fault) => {
    const before = await verifyAll(place.pool, await headsOf(checkpoint))
    await tamper()
    const { faults } = await verifyAll(place.pool, await headsOf(checkpoint))
    const found = faults.filter((one) => !before.faults.some((each) => each.stream === one.stream && each.fault === one.fault))
    expect(found).toEqual(fault ? [fault] : [])
  })

  it('is told as undetectable without one, where a chain was rewritten whole', async () => {
    const { faults, streams, events } = await verifyAll(place.pool)
    expect(faults.map(({ stream }) => stream)).not.toContain('tally-t6')
    expect(faults.map(({ stream }) => stream)).toContain('tally-t1')
    expect([streams, events > 50]).toEqual([11, true])
  })
})

describe('a checkpoint', () => {
  let place: Place
  let lines: string[]
  beforeAll(async () => {
    place = await makePlace()
    await fill(place.store)
    lines = await written((write) => writeCheckpoint(place.pool, privateKey, Date.UTC(2026, 10, 1), write))
  })
  afterAll(() => place.close())

  it('holds every head, and says up to where', async () => {
    expect(await headsOf(lines)).toHaveLength(10)
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ incarnation: place.store.incarnation, streams: 10, at: '2026-11-01T00:00:00.000Z' })
  })

  it('is told to be of another store, where that holds the same', async () => {
    const seal = JSON.parse(lines.at(-1)!) as CheckpointSeal
    const heads = await headsOf(lines)
    const same = await verifyAll(place.pool, heads, { seal })
    expect([same.faults, same.incarnation]).toEqual([[], undefined])
    const other = await makePlace()
    try {
      await importEvents(other.pool, linesOf(await written((write) => exportEvents(place.pool, write))))
      const { faults, incarnation } = await verifyAll(other.pool, heads, { seal })
      expect([faults, incarnation]).toEqual([[], other.store.incarnation])
    } finally {
      await other.close()
    }
  })

  it.each<[string, (lines: readonly string[]) => readonly string[]]>([
    [
      'a head changed',
      (all) => all.map((line, at) => (at === 3 ? line.replace(/"head":"./, '"head":"0').replace('"version":7', '"version":6') : line)),
    ],
    ['a head left out', (all) => all.slice(1)],
    ['two heads exchanged', ([one, two, ...rest]) => [two!, one!, ...rest]],
    [
      'an archive put in for a stream',
      (all) => all.map((line, at) => (at === 3 ? line.replace('"archive":null', '"archive":"events_0"') : line)),
    ],
    ['archives put in', (all) => all.map((line) => line.replace('"archives":[]', '"archives":[{"name":"events_0","here":false}]'))],
    ['all that it says of archives left out', (all) => all.map((line) => line.replace(/,"archives?":(null|\[\])/, ''))],
    ['its position changed', (all) => all.map((line) => line.replace(/"position":"\d/, '"position":"9'))],
    ['no end', (all) => all.slice(0, -1)],
    ['more after its end', (all) => [...all, all[0]!]],
    ['text that is not JSON', (all) => ['x', ...all]],
  ])('is refused with %s', async (_, change) => {
    await expect(headsOf(change(lines))).rejects.toBeInstanceOf(CheckpointRefused)
  })

  it('is refused when another key signed it', async () => {
    await expect(headsOf(lines, generateKeyPairSync('ed25519').publicKey)).rejects.toThrow('not by this key')
  })
})

describe('an export', () => {
  let from: Place
  let into: Place
  let lines: string[]
  beforeAll(async () => {
    ;[from, into] = await Promise.all([makePlace(), makePlace()])
    await fill(from.store)
    // More than a page of them.
    await from.pool.query(
      `INSERT INTO commands SELECT 'many-' || n, 'f', convert_to('answer ' || n, 'UTF8'), n FROM generate_series(1, 4000) n`,
    )
    // A refusal is an answer too.
    await from.store.execute(change('http:refused', 't5', -1_000))
    lines = await written((write) => exportEvents(from.pool, write))
  })
  afterAll(() => Promise.all([from.close(), into.close()]))

  it.each<[string, (lines: readonly string[]) => readonly string[], string]>([
    ['a changed payload', (all) => all.map((line, at) => (at === 7 ? line.replace(/by\\":10/, 'by\\":11') : line)), 'line 8'],
    ['a line left out', (all) => all.toSpliced(3, 1), 'does not go on at version 2'],
    ['a line twice', (all) => all.toSpliced(68, 0, all[67]!), 'does not go on'],
    ['an answer twice', (all) => [...all, all.at(-1)!], 'is not in the order of commands'],
    [
      'an answer without its command',
      (all) => [...all.slice(0, 68), '{"fingerprint":"f","answer":"","recordedAt":0}'],
      'line 69 is not an exported event',
    ],
    [
      'categories that are not its streams’',
      (all) => all.map((line) => line.replace('"category":"tally"', '"category":"x"')),
      'line 1: tally-t0 is not of the category that it says',
    ],
    ['another thing', () => ['{"a":1}'], 'line 1 is not an exported event'],
  ])('is refused with %s, and nothing of it is kept', async (_, change, message) => {
    await expect(importEvents(into.pool, linesOf(change(lines)))).rejects.toThrow(message)
    expect(await verifyAll(into.pool)).toEqual({ streams: 0, events: 0, elsewhere: 0, faults: [] })
  })

  it('becomes the same store in an empty one, which goes on from there and publishes nothing again', async () => {
    expect(await importEvents(into.pool, linesOf(lines))).toEqual({ events: 68, commands: 4_060 })
    expect(await written((write) => exportEvents(into.pool, write))).toEqual(lines)
    expect(await verifyAll(into.pool)).toEqual({ streams: 10, events: 68, elsewhere: 0, faults: [] })
    expect(await into.store.load(tally('t5'))).toEqual(await from.store.load(tally('t5')))
    for (const again of [change('fill-5', 't5', 10), move('move-5', 't5', 't6', 1), change('http:refused', 't5', -1_000)]) {
      const replayed = await from.store.execute(again)
      expect(replayed.replayed).toBe(true)
      expect(await into.store.execute(again)).toEqual(replayed)
    }
    await expect(into.store.execute(change('fill-5', 't5', 10, 'another'))).rejects.toBeInstanceOf(CommandIdReused)
    expect((await verifyAll(into.pool)).events).toBe(68)
    const lease = await into.store.outbox.lease('relay', 60_000, 'log')
    expect(await into.store.outbox.after(lease?.position ?? 0n, 10)).toEqual([])
    await into.store.execute(change('on', 't5', 1))
    expect(await into.store.verify('tally-t5')).toMatchObject({ ok: true, version: 8 })
    expect(await into.store.outbox.after(lease?.position ?? 0n, 10)).toHaveLength(1)
    await expect(importEvents(into.pool, linesOf(lines))).rejects.toBeInstanceOf(ImportRefused)
  })
})

describe('an export of a store', () => {
  let from: Place
  let into: Place
  beforeAll(async () => {
    ;[from, into] = await Promise.all([makePlace(), makePlace()])
    await fill(from.store)
  })
  afterAll(() => Promise.all([from.close(), into.close()]))

  it('says what its relay has not sent, which nobody who imports it will send', async () => {
    const note = commandOf('noted', [tally('t0')], () => ({ appends: [], messages: [messageOf('a'), messageOf('b')], answer: '' }))
    await from.store.execute(note)
    const unsent = async () => (await exportEvents(from.pool, () => Promise.resolve())).unsent
    expect(await unsent()).toEqual({ events: 68, messages: 2 })
    await from.pool.query('UPDATE relay SET position = (SELECT position FROM store)')
    expect(await unsent()).toEqual({ events: 0, messages: 0 })
    await from.store.execute(change('since', 't0', 1))
    expect(await unsent()).toEqual({ events: 1, messages: 0 })
  })

  it('that was written without answers is taken', async () => {
    const events = (await written((write) => exportEvents(from.pool, write))).filter((line) => !line.startsWith('{"command"'))
    expect(await importEvents(into.pool, linesOf(events))).toEqual({ events: 69, commands: 0 })
    expect((await verifyAll(into.pool)).faults).toEqual([])
  })
})

describe('a stream looked into', () => {
  let place: Place
  beforeAll(async () => {
    place = await makePlace()
    for (let at = 1; at <= 12; at++) await place.store.execute(change(`look-${at}`, 'look', at))
    for (let tries = 0; tries < 400; tries++) {
      if ((await place.pool.query('SELECT FROM snapshots')).rowCount) break
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
  afterAll(() => place.close())
  const typesOf = (type: object) => typesByCategory([type as AnyStreamType])

  it('shows its state at a version', async () => {
    expect(await stateAt(place.pool, typesOf(tallyType), 'tally-look', 3)).toEqual({ version: 3, state: { total: 6, changes: 3 } })
    expect(await stateAt(place.pool, typesOf(tallyType), 'other-look', 3)).toBeUndefined()
  })

  it('shows where today’s evolve would have led elsewhere than the snapshots say', async () => {
    const [same] = await replayStream(place.pool, typesOf(tallyType), 'tally-look')
    expect(same).toMatchObject({ stream: 'tally-look', differences: [] })
    const today: typeof tallyType = {
      ...tallyType,
      evolve: ({ total, changes }, { data }) => ({ total: total + data.by, changes: changes + 2 }),
    }
    const [other] = await replayStream(place.pool, typesOf(today), 'tally-look')
    const version = other?.version ?? 0
    expect(version).toBeGreaterThanOrEqual(10)
    expect(other?.differences).toEqual([{ path: '/changes', before: version, after: version * 2 }])
  })
})
