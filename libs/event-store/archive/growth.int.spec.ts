import { expect, it } from '@jest/globals'
import { listPartitions, makeRoom, verifyAll, type EventStore, type RecordedEvent } from '#event-store'
import { closing, partitionedPlace } from '../testing/partitioned.js'
import { change } from '../testing/tally.js'

const STREAMS = 60
const CHANGES = 1_200

it('loses nothing and refuses nobody while two processes append and load, partitions are made, archived and detached, and streams come back', async () => {
  const place = await partitionedPlace(40)
  const stores: readonly EventStore[] = [await place.open(), await place.open()]
  const [store] = stores
  if (!store) throw new Error('no store')
  const seen: RecordedEvent[] = []
  const following = new AbortController()
  const follower = (async () => {
    for await (const event of store.readAll({ follow: following.signal })) seen.push(event)
  })()

  const totals = new Map<string, number>()
  let next = 0
  const writer = async (own: EventStore): Promise<void> => {
    for (let at = next++; at < CHANGES; at = next++) {
      // Streams are opened, closed after a few changes, and now and then one that was closed long ago is changed again.
      const id = `s${at % 10 === 9 ? (at * 7) % STREAMS : Math.floor((at / CHANGES) * STREAMS)}`
      const by = 1 + (at % 40)
      totals.set(id, (totals.get(id) ?? 0) + by)
      await own.execute(change(`c${at}`, id, by))
      if (at % 5 === 0) await own.load(closing(`s${(at * 3) % STREAMS}`))
    }
  }
  let writing = true
  let [archived, moved] = [0, 0]
  const archiver = (async () => {
    while (writing) {
      for (const each of await place.archiveAll()) {
        archived += each.streams
        moved += each.moved
      }
      await makeRoom(place.pool)
    }
  })()
  await Promise.all(Array.from({ length: 8 }, (_, at) => writer(stores[at % 2] ?? store)))
  writing = false
  await archiver

  const everything: RecordedEvent[] = []
  for await (const event of store.readAll()) everything.push(event)
  for (let tries = 0; seen.length < CHANGES && tries < 6_000; tries++) await new Promise((resolve) => setTimeout(resolve, 5))
  following.abort()
  await follower
  expect(everything).toHaveLength(CHANGES)
  expect(everything.every(({ position }, at) => position > (everything[at - 1]?.position ?? 0n))).toBe(true)
  expect(seen).toEqual(everything)
  expect(archived).toBeGreaterThan(10)
  expect(moved).toBeGreaterThan(10)
  expect((await listPartitions(place.pool)).filter(({ archivedAt }) => archivedAt !== undefined).length).toBeGreaterThan(2)
  expect(await verifyAll(place.pool)).toEqual({ streams: totals.size, events: CHANGES, elsewhere: 0, faults: [] })
  for (const [id, total] of totals) for (const own of stores) expect((await own.load(closing(id))).state.total).toBe(total)
  expect((await verifyAll(place.pool)).faults).toEqual([])
  await place.close()
})
