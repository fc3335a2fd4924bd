import { systemClock, type Clock } from '#kernel'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { archive, type Archived, type ArchiveOptions } from '../archive/archive.js'
import { eventStoreMigrations } from '../migration.js'
import { openEventStore } from '../open.js'
import type { EventStore, StreamRef } from '../store.js'
import { typesByCategory, type AnyStreamType } from '../stream.js'
import { publishTally, tallyType, type Tally } from './tally.js'

/** A tally whose life is over once it comes to a hundred. */
export const closingType: AnyStreamType = { ...(tallyType as AnyStreamType), closed: (state) => (state as Tally).total >= 100 }
/** For commands that are made with `tally`: the store knows it as `closingType`. */
export const closing = (id: string): StreamRef<Tally> => ({ type: tallyType, id })

type ArchiveClock = Pick<Clock, 'now' | 'sleep'>

export interface PartitionedPlace {
  readonly database: TestDatabase
  readonly pool: pg.Pool
  open(): Promise<EventStore>
  /** Everything so far counts as published and as old. */
  archiveAll(options?: Partial<ArchiveOptions>, clock?: ArchiveClock): Promise<readonly Archived[]>
  readonly clock: ArchiveClock
  close(): Promise<void>
}

/** What comes later than anything that was recorded. */
export const later: ArchiveClock = { now: () => systemClock.now() + 60_000, sleep: (ms, signal) => systemClock.sleep(ms, signal) }

/** A store on PostgreSQL whose partitions hold so many positions each. */
export const partitionedPlace = async (size: number): Promise<PartitionedPlace> => {
  const database = await createTestDatabase(eventStoreMigrations)
  const pool = createPool(database)
  await inPartitionsOf(pool, size)
  const stores: EventStore[] = []
  return {
    database,
    pool,
    async open() {
      const store = await openEventStore({
        pool,
        postgres: database,
        types: [closingType],
        publish: publishTally,
        clock: systemClock,
        app: 'test',
      })
      stores.push(store)
      return store
    },
    clock: later,
    async archiveAll(options, clock = later) {
      await pool.query('UPDATE relay SET position = (SELECT position FROM store)')
      const done: Archived[] = []
      for await (const each of archive(pool, typesByCategory([closingType]), clock, { idle_ms: 0, ...options })) done.push(each)
      return done
    },
    async close() {
      for (const store of stores) await store.close()
      await pool.end()
      await database.drop()
    },
  }
}

/** An empty store's first partition is taken to be full. */
export const inPartitionsOf = async (pool: pg.Pool, size: number): Promise<void> => {
  await pool.query('UPDATE store SET partition_size = $1, position = partitioned_to - 1', [size])
}
