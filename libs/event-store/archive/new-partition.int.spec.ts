import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { classifyFailure } from '#postgres'
import type { EventStore } from '#event-store'
import { restoreStream } from './archives.js'
import { loadStreams } from '../reading/loader.js'
import type { Query } from '../reading/rows.js'
import { closing, partitionedPlace, type PartitionedPlace } from '../testing/partitioned.js'
import { change } from '../testing/tally.js'

// An append that finds no room makes the partition that it writes to. Other sessions see its commit a moment before they are told of that table.

let place: PartitionedPlace
let store: EventStore
beforeAll(async () => {
  place = await partitionedPlace(10)
  store = await place.open()
})
afterAll(() => place.close())

it('brings an archived stream back once the partition of today is known', async () => {
  await store.execute(change('closed', 'closed', 100))
  for (let at = 0; at < 12; at++) await store.execute(change(`living-${at}`, 'living', 1))
  await place.archiveAll()
  await place.pool.query('UPDATE store SET position = partitioned_to')
  const error = await restoreStream(place.pool, 'tally-closed').catch((failure: unknown) => failure)
  expect(error).toMatchObject({ message: expect.stringContaining('is not known yet') })
  expect(classifyFailure(error)).toBe('retry')

  const loading = (await place.open()).load(closing('closed'))
  await place.pool.query('UPDATE store SET partitioned_to = add_partitions(position, position)')
  expect((await loading).state.total).toBe(100)
})

it('asks once more for events that their stream has and no partition that the statement knew', async () => {
  for (const last of ['living-12', 'living-13']) await store.execute(change(last, 'living', 1))
  const missing = (trips: number): Query => ({
    query: async (query) => {
      const found = await place.pool.query(query)
      return trips-- > 0 ? { ...found, rows: found.rows.filter((row) => (row as { r_kind?: number }).r_kind !== 6) } : found
    },
  })
  const wanted = [{ stream: 'tally-living', ref: closing('living') }]
  expect((await loadStreams(missing(2), wanted)).loaded.get('tally-living')?.entry.version).toBe(14)
  expect((await loadStreams(missing(9), wanted)).failed.get('tally-living')).toMatchObject({
    message: expect.stringContaining('are missing'),
  })
})
