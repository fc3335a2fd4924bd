import { afterAll, beforeEach, describe, expect, it } from '@jest/globals'
import { ArchiveUnsound, exportEvents, verifyAll, type EventStore } from '#event-store'
import { closing, partitionedPlace, type PartitionedPlace } from '../testing/partitioned.js'
import { change } from '../testing/tally.js'

/** Two streams that one archive holds, and that archive's name. */
interface Archived {
  readonly archive: string
  readonly ids: readonly [string, string]
}

describe('an archive that is put back from a dump', () => {
  const places: PartitionedPlace[] = []
  let place: PartitionedPlace
  let store: EventStore
  let archived: Archived
  beforeEach(async () => {
    place = await partitionedPlace(10)
    places.push(place)
    store = await place.open()
    for (let at = 0; at < 12; at++) await store.execute(change(`${at}`, `${at}`, 100))
    await place.archiveAll()
    const { rows } = await place.pool.query<{ archive: string; ids: string[] }>(
      `SELECT archive, array_agg(replace(stream_id, 'tally-', '') ORDER BY stream_id) AS ids FROM streams WHERE archive IS NOT NULL
      GROUP BY archive HAVING count(*) > 1 LIMIT 1`,
    )
    const [first = '', second = ''] = rows[0]?.ids ?? []
    archived = { archive: rows[0]?.archive ?? '', ids: [first, second] }
    await place.pool.query(`CREATE TABLE dump (LIKE ${archived.archive} INCLUDING ALL)`)
    await place.pool.query(`INSERT INTO dump TABLE ${archived.archive}`)
  })
  afterAll(async () => {
    for (const each of places) await each.close()
  })

  const putBack = async () => {
    await place.pool.query(`DROP TABLE ${archived.archive}`)
    await place.pool.query(`ALTER TABLE dump RENAME TO ${archived.archive}`)
  }
  const positions = async (): Promise<bigint[]> => (await Array.fromAsync(store.readAll())).map(({ position }) => position)
  const exported = async (): Promise<number> => (await exportEvents(place.pool, () => Promise.resolve())).events

  it('doubles nothing that came back since: readers have it once, export and verification name it and say what to do', async () => {
    const before = await positions()
    const [back, still] = archived.ids
    expect((await store.load(closing(back))).state.total).toBe(100)
    await putBack()
    expect(await positions()).toEqual(before)
    expect((await store.outbox.after(0n, 100)).map(({ position }) => position)).toEqual(before)
    expect((await verifyAll(place.pool)).faults).toEqual([{ stream: `tally-${back}`, fault: 'doubled', version: 1 }])
    const refused: unknown = await exported().catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ArchiveUnsound)
    const remedy = /DELETE FROM .*$/.exec(String(refused))?.[0] ?? ''
    expect((await place.pool.query(remedy)).rowCount).toBe(1)
    expect(await exported()).toBe(before.length)
    expect((await verifyAll(place.pool)).faults).toEqual([])
    expect((await store.load(closing(still))).state.total).toBe(100)
  })

  it.each([
    ['that was loaded twice', (table: string) => `INSERT INTO ${table} SELECT * FROM ${table}`],
    ['that lacks an event', (table: string) => `DELETE FROM ${table}`],
    ['of another history', (table: string) => `UPDATE ${table} SET hash = sha256('another')`],
  ])('gives back no stream from one %s, and leaves everything as it is', async (_, spoil) => {
    const [wanted] = archived.ids
    await place.pool.query('ALTER TABLE dump DROP CONSTRAINT dump_pkey')
    await place.pool.query('ALTER TABLE dump DROP CONSTRAINT dump_stream_id_version_key')
    await place.pool.query(spoil('dump'))
    await putBack()
    const held = async () => (await place.pool.query(`SELECT FROM ${archived.archive}`)).rowCount
    const before = await held()
    const asked = [store.execute(change('more', wanted, 1)), store.execute(change('other', 'new', 1))]
    const [refused, neighbour] = await Promise.allSettled(asked)
    expect(refused).toMatchObject({ status: 'rejected', reason: expect.any(ArchiveUnsound) })
    expect(neighbour).toMatchObject({ status: 'fulfilled' })
    expect(await held()).toBe(before)
    expect((await place.pool.query('SELECT FROM events WHERE stream_id = $1', [`tally-${wanted}`])).rowCount).toBe(0)
  })
})
