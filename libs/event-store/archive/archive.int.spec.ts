import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  archive,
  ArchiveMissing,
  ArchiveRefused,
  exportEvents,
  importEvents,
  listPartitions,
  makeRoom,
  readCheckpoint,
  typesByCategory,
  verifyAll,
  writeCheckpoint,
  type EventStore,
  type ReadAll,
  type RecordedEvent,
  type StreamHead,
} from '#event-store'
import { eventually } from '#kernel/testing'
import { pgTransactions } from '#postgres'
import { generateKeyPairSync } from 'node:crypto'
import { closing, closingType, later, partitionedPlace, type PartitionedPlace } from '../testing/partitioned.js'
import { change, move } from '../testing/tally.js'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const types = typesByCategory([closingType])

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
const lines = async (place: PartitionedPlace): Promise<string[]> => {
  const all: string[] = []
  await exportEvents(place.pool, async (line) => void all.push(line))
  return all
}
const headsNow = async (place: PartitionedPlace): Promise<StreamHead[]> => {
  const written: string[] = []
  await writeCheckpoint(place.pool, privateKey, 0, async (line) => void written.push(line))
  return collect(
    readCheckpoint(
      (async function* () {
        yield* written
      })(),
      publicKey,
    ),
  )
}

/** Twelve tallies of two events each, of which the even ones are closed, and one, `long`, that lives from beginning to end. */
const fill = async (store: EventStore, name: string): Promise<void> => {
  await store.execute(change(`${name}-long-0`, `${name}-long`, 1))
  for (let at = 0; at < 12; at++) {
    await store.execute(change(`${name}-${at}-a`, `${name}-${at}`, 1))
    await store.execute(change(`${name}-${at}-b`, `${name}-${at}`, at % 2 === 0 ? 99 : 1))
    if (at % 4 === 0) await store.execute(change(`${name}-long-${at + 1}`, `${name}-long`, 1))
  }
}

describe('an event store that archives', () => {
  let place: PartitionedPlace
  let store: EventStore
  beforeAll(async () => {
    place = await partitionedPlace(10)
    store = await place.open()
  })
  afterAll(() => place.close())

  const all = (options?: ReadAll): Promise<RecordedEvent[]> => collect(store.readAll(options))
  const archived = async (): Promise<string[]> =>
    (await place.pool.query<{ stream_id: string }>('SELECT stream_id FROM streams WHERE archive IS NOT NULL ORDER BY stream_id')).rows.map(
      (row) => row.stream_id,
    )

  it('keeps in what it detaches closed, archived streams alone, each whole; every reader of everything finds the same as before', async () => {
    await fill(store, 'a')
    const before = { all: await all(), exported: await lines(place), heads: await headsNow(place) }
    const planned = await place.archiveAll({ dryRun: true })
    expect(await archived()).toEqual([])
    const done = await place.archiveAll()
    expect(done[1]).toEqual(planned[1])
    expect(done.reduce((sum, { streams }) => sum + streams, 0)).toBe((await archived()).length)
    // Six are closed; the last partition is not full, so that which is closed there has to wait.
    expect((await archived()).length).toBeGreaterThanOrEqual(4)
    expect((await archived()).every((stream) => /^tally-a-(0|2|4|6|8|10)$/.test(stream))).toBe(true)

    const partitions = await listPartitions(place.pool)
    const archives = partitions.filter(({ archivedAt }) => archivedAt !== undefined)
    expect(archives.length).toBeGreaterThanOrEqual(2)
    for (const { name } of archives) {
      const { rows } = await place.pool.query(
        `SELECT s.stream_id, s.archive, s.version, count(*) AS events FROM ${name} e LEFT JOIN streams s USING (stream_id) GROUP BY 1, 2, 3`,
      )
      for (const row of rows) expect(row).toMatchObject({ archive: name, events: row['version'] })
    }
    const { rows } = await place.pool.query('SELECT 1 FROM events e JOIN streams s USING (stream_id) WHERE s.archive IS NOT NULL')
    expect(rows).toEqual([])

    expect(await all()).toEqual(before.all)
    expect(await all({ category: 'tally', after: before.all[5]?.position ?? 0n })).toEqual(before.all.slice(6))
    expect(await lines(place)).toEqual(before.exported)
    expect(await verifyAll(place.pool, before.heads)).toEqual({ streams: 13, events: before.all.length, elsewhere: 0, faults: [] })
    expect((await headsNow(place)).map((head) => ({ ...head, archive: null }))).toEqual(before.heads)
    const lease = await store.outbox.lease('relay', 60_000, 'log')
    expect(await store.outbox.after(lease?.position ?? 0n, 100)).toEqual([])
  })

  it('becomes the same in an empty store that imports what it exports', async () => {
    const into = await partitionedPlace(10)
    await importEvents(
      into.pool,
      (async function* (all) {
        yield* all
      })(await lines(place)),
    )
    expect(await lines(into)).toEqual(await lines(place))
    const other = await into.open()
    expect(await other.execute(change('goes-on', 'a-long', 1))).toEqual({ answer: 'total 5', replayed: false })
    expect((await verifyAll(into.pool)).faults).toEqual([])
    await into.close()
  })

  it.each<[string, (id: string, store: EventStore) => Promise<unknown>, unknown]>([
    ['a load', (id, opened) => opened.load(closing(id)), { version: 2, state: { total: 100, changes: 2 } }],
    ['a load of the past', (id, opened) => opened.loadAt(closing(id), { version: 1 }), { version: 1, state: { total: 1, changes: 1 } }],
    ['its events', async (id, opened) => (await collect(opened.readStream(`tally-${id}`))).map(({ version }) => version), [1, 2]],
    ['its verification', (id, opened) => opened.verify(`tally-${id}`), expect.objectContaining({ ok: true, checkedEvents: 2 })],
    ['a command', (id, opened) => opened.execute(change(`more-${id}`, id, 5)), { answer: 'total 105', replayed: false }],
    [
      'a command that thinks it new',
      (id, opened) => opened.execute({ ...change(`new-${id}`, id, 5), streams: [{ ...closing(id), fresh: true }] }),
      { answer: 'total 105', replayed: false },
    ],
    [
      'a command of two archived streams',
      (id, opened) => opened.execute(move(`move-${id}`, id, id.replace(/0$/, '2'), 1)),
      { answer: 'moved', replayed: false },
    ],
    [
      'a command in a transaction',
      (id, opened) => pgTransactions(place.pool).run((tx) => opened.executeAll([change(`within-${id}`, id, 5)], tx)),
      [{ answer: 'total 105', replayed: false }],
    ],
  ])('brings an archived stream back for %s', async (name, ask, answer) => {
    for (const opened of [store, await place.open()]) {
      const prefix = `${name.replaceAll(' ', '-')}-${opened === store ? 'cached' : 'cold'}`
      const id = `${prefix}-0`
      await fill(store, prefix)
      await place.archiveAll()
      expect(await archived()).toContain(`tally-${id}`)
      expect(await ask(id, opened)).toEqual(answer)
      expect(await archived()).not.toContain(`tally-${id}`)
      expect(await opened.verify(`tally-${id}`)).toMatchObject({ ok: true })
    }
    expect((await verifyAll(place.pool)).faults).toEqual([])
    const everything = await all()
    expect(everything.map(({ position }) => position)).toEqual(
      [...new Set(everything.map(({ position }) => position))].toSorted((x, y) => (x < y ? -1 : 1)),
    )
  })

  it('brings streams back in transactions of two processes at once, none of which waits for another that waits for it', async () => {
    await fill(store, 'both')
    for (const at of [0, 2, 4, 6]) await store.load(closing(`both-${at}`))
    await place.archiveAll()
    // One finds them archived at its first append, the other before it.
    const other = await place.open()
    const adding = (opened: EventStore, name: string) =>
      pgTransactions(place.pool).run((tx) =>
        opened.executeAll(
          [0, 2, 4, 6].map((at) => change(`both-${name}-${at}`, `both-${at}`, 1)),
          tx,
        ),
      )
    const answers = await Promise.all([...'abcdef'].map((name, at) => adding(at % 2 === 0 ? store : other, name)))
    expect(answers.flat()).toHaveLength(24)
    for (const at of [0, 2, 4, 6]) expect((await other.load(closing(`both-${at}`))).state.total).toBe(106)
  })

  it('answers a repeated command of an archived stream as at first, and archives again what came back', async () => {
    await fill(store, 'again')
    await place.archiveAll()
    expect(await store.execute(change('again-0-b', 'again-0', 99))).toEqual({ answer: 'total 100', replayed: true })
    await store.load(closing('again-0'))
    expect(await archived()).not.toContain('tally-again-0')
    await fill(store, 'younger')
    await place.archiveAll()
    expect(await archived()).toContain('tally-again-0')
  })

  it('says what is elsewhere when an archive is taken out of the database, and has it again when it is put back', async () => {
    await fill(store, 'away')
    await place.archiveAll()
    const { rows } = await place.pool.query<{ archive: string; count: bigint; upto: bigint }>(
      `SELECT s.archive, p.upto, (SELECT count(*) FROM streams o WHERE o.archive = s.archive) AS count
      FROM streams s JOIN partitions p ON p.name = s.archive WHERE s.stream_id = 'tally-away-2'`,
    )
    const { archive: name, count, upto } = rows[0] ?? { archive: '', count: 0n, upto: 0n }
    const heads = await headsNow(place)
    await place.pool.query(`ALTER TABLE ${name} RENAME TO elsewhere`)
    await expect(store.load(closing('away-2'))).rejects.toEqual(new ArchiveMissing(name))
    await expect(store.execute(change('away', 'away-2', 1))).rejects.toBeInstanceOf(ArchiveMissing)
    await expect(all()).rejects.toBeInstanceOf(ArchiveMissing)
    await expect(lines(place)).rejects.toBeInstanceOf(ArchiveMissing)
    expect((await all({ after: upto })).length).toBeGreaterThan(0)
    expect(await verifyAll(place.pool, heads)).toMatchObject({ elsewhere: Number(count), faults: [] })
    expect((await listPartitions(place.pool)).find((each) => each.name === name)).not.toHaveProperty('size_bytes')
    await place.pool.query(`ALTER TABLE elsewhere RENAME TO ${name}`)
    expect((await store.load(closing('away-2'))).state.total).toBe(100)
  })

  it('fails only the load of a stream whose archive is away, or that cannot be read, and not those that share its trip', async () => {
    await fill(store, 'near')
    await place.archiveAll()
    await fill(store, 'far')
    await place.archiveAll()
    const archiveOf = async (stream: string) =>
      (await place.pool.query<{ archive: string }>('SELECT archive FROM streams WHERE stream_id = $1', [stream])).rows[0]?.archive ?? ''
    const name = await archiveOf('tally-near-2')
    expect(await archiveOf('tally-far-2')).not.toBe(name)
    const unreadable = `UPDATE events SET payload = $1 WHERE stream_id = 'tally-near-1' AND version = 1`
    await place.pool.query(unreadable, [Buffer.from('[]')])
    await place.pool.query(`ALTER TABLE ${name} RENAME TO elsewhere`)
    const cold = await place.open()
    const asked = ['near-2', 'far-2', 'near-1', 'near-3', 'far-1'].map((id) => cold.execute(change(`trip-${id}`, id, 1)))
    const became = (await Promise.allSettled(asked)).map((each) => (each.status === 'fulfilled' ? each.value.answer : each.reason))
    expect(became).toEqual([new ArchiveMissing(name), 'total 101', expect.any(TypeError), 'total 3', 'total 3'])
    await place.pool.query(`ALTER TABLE elsewhere RENAME TO ${name}`)
    await place.pool.query(unreadable, [Buffer.from('{"by":1}')])
    expect(await cold.execute(change('trip-again', 'near-2', 1))).toMatchObject({ answer: 'total 101' })
  })

  it('passes over a stream that cannot be read, says which, and archives the others', async () => {
    await fill(store, 'damaged')
    const payload = `UPDATE events SET payload = $1 WHERE stream_id = 'tally-damaged-2' AND version = 1`
    await place.pool.query(payload, [Buffer.from('[]')])
    const unreadable: string[] = []
    const done = await place.archiveAll({ onUnreadable: (stream) => void unreadable.push(stream) })
    expect(unreadable).toEqual(['tally-damaged-2'])
    expect(done.reduce((sum, each) => sum + each.unreadable, 0)).toBe(1)
    expect(await archived()).toEqual(expect.arrayContaining(['tally-damaged-0', 'tally-damaged-4']))
    expect(await archived()).not.toContain('tally-damaged-2')
    await place.pool.query(payload, [Buffer.from('{"by":1}')])
    expect((await verifyAll(place.pool)).faults).toEqual([])
    await fill(store, 'mended')
    await place.archiveAll()
    expect(await archived()).toContain('tally-damaged-2')
  })

  it('leaves alone what is young, or what the relay has not passed', async () => {
    await fill(store, 'young')
    expect(await place.archiveAll({ idle_ms: 3_600_000 })).toEqual([])
    await place.pool.query('UPDATE relay SET position = 0')
    expect(await collect(archive(place.pool, types, later, { idle_ms: 0 }))).toEqual([])
  })

  it('holds up nobody while it waits for a reader; cut off there, it leaves everything readable, and the next run ends it', async () => {
    await fill(store, 'slow')
    const before = await all()
    const reader = await place.pool.connect()
    await reader.query('BEGIN')
    await reader.query('SELECT FROM events LIMIT 1')
    const cutOff = place.archiveAll().catch((error: unknown) => error)
    const waiting = `SELECT pid FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE events DETACH%' AND wait_event_type = 'Lock' AND datname = current_database()`
    await eventually('it waits', async () => (await place.pool.query(waiting)).rowCount === 1, 10_000)
    await expect(place.archiveAll()).rejects.toBeInstanceOf(ArchiveRefused)
    expect(await store.execute(change('slow-meanwhile', 'slow-long', 1))).toMatchObject({ answer: 'total 5' })
    expect(await (await place.open()).load(closing('slow-1'))).toMatchObject({ version: 2 })
    await makeRoom(place.pool)
    // It waits now and then: where it does not just then, it is not cut off.
    let over = false
    void cutOff.then(() => (over = true))
    await eventually(
      'it is cut off',
      async () => {
        await place.pool.query(`SELECT pg_cancel_backend(pid) FROM (${waiting}) AS w`)
        return over
      },
      10_000,
    )
    expect(await cutOff).toMatchObject({ code: '57014' })
    await reader.query('ROLLBACK')
    reader.release()
    expect((await place.pool.query('SELECT FROM pg_inherits WHERE inhdetachpending')).rowCount).toBe(1)
    expect((await all()).slice(0, before.length)).toEqual(before)
    expect((await verifyAll(place.pool)).faults).toEqual([])
    expect((await store.load(closing('slow-0'))).state.total).toBe(100)
    expect((await place.archiveAll()).length).toBeGreaterThan(0)
    expect((await place.pool.query('SELECT FROM pg_inherits WHERE inhdetachpending')).rowCount).toBe(0)
    expect((await all()).slice(0, before.length)).toEqual(before)
    expect((await verifyAll(place.pool)).faults).toEqual([])
  })
})
