import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore, type EventStore } from '#event-store'
import { runAgainstModel, waves } from '#event-store/testing'
import { systemClock } from '#kernel'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import fc from 'fast-check'
import type pg from 'pg'
import { publishTally, tallyType } from './testing/tally.js'

/** Thousands in CI. */
const SEQUENCES = Number(process.env['MODEL_SEQUENCES'] ?? 100)
const SIDE_BY_SIDE = 10

describe('two instances on one PostgreSQL, against a plain model', () => {
  let database: TestDatabase
  let pool: pg.Pool
  let instances: [EventStore, EventStore]
  let refused = 0

  beforeAll(async () => {
    database = await createTestDatabase(eventStoreMigrations)
    pool = createPool(database)
    const open = () =>
      openEventStore({
        pool,
        postgres: database,
        types: [tallyType],
        publish: publishTally,
        clock: systemClock,
        app: 'test',
        onBatch: (report) => (refused += report.refused),
      })
    instances = [await open(), await open()]
  })
  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.close()))
    await pool.end()
    await database.drop()
  })

  it(
    'each history explains each answer',
    async () => {
      let run = 0
      await fc.assert(
        fc.asyncProperty(fc.array(waves(5, 20), { minLength: SIDE_BY_SIDE, maxLength: SIDE_BY_SIDE }), async (all) => {
          await Promise.all(all.map((groups) => runAgainstModel(instances, groups, `run${run++}`)))
        }),
        { numRuns: Math.ceil(SEQUENCES / SIDE_BY_SIDE), endOnFailure: true },
      )
      // Without conflicts between the two this would show little.
      expect(refused).toBeGreaterThan(0)
    },
    60_000 + SEQUENCES * 100,
  )
})
