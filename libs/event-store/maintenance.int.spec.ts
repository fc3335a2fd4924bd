import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { eventStoreMigrations, sweep } from '#event-store'
import { eventually, FakeClock } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { ROWS_PER_ROUND, sweepRegularly } from './maintenance.js'

describe('sweeping a store that grew fast', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase(eventStoreMigrations)
    pool = createPool({ ...database, statementTimeout_ms: 10_000 })
    await pool.query('UPDATE relay SET position = 1000000')
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })
  afterEach(() => pool.query('TRUNCATE commands, outbox'))

  /** Answers that expired and messages that the relay has passed, numbered from the oldest. */
  const fill = async ({ commands, messages }: { readonly commands: number; readonly messages: number }) => {
    await pool.query(`INSERT INTO commands SELECT 'http:' || n, 'f', '', n FROM generate_series(1, $1::integer) n`, [commands])
    await pool.query(`INSERT INTO outbox SELECT n, 0, 't', 'k', 'T', 1, NULL, '{}', '{}', 0 FROM generate_series(1, $1::integer) n`, [
      messages,
    ])
  }
  const left = async () => {
    const { rows } = await pool.query<{ commands: number; messages: number }>(
      'SELECT (SELECT count(*) FROM commands)::integer AS commands, (SELECT count(*) FROM outbox)::integer AS messages',
    )
    return rows[0]
  }

  it.each([
    ['answers', { commands: 2 * ROWS_PER_ROUND + 1, messages: 0 }],
    ['messages', { commands: 0, messages: 2 * ROWS_PER_ROUND + 1 }],
  ])(
    'waits no more until all is gone, where there are more %s than one round takes',
    async (_, some) => {
      await fill(some)
      const clock = new FakeClock()
      const failures: unknown[] = []
      const upkeep = { cache: { dropIdle: () => 0 }, retention_ms: 1, every_ms: 30_000 }
      const sweeps = sweepRegularly(pool, clock, { ...upkeep, onError: (error) => failures.push(error) })
      try {
        clock.advance(30_000)
        await eventually('it waits again', () => clock.nextWake() !== undefined, 60_000)
        expect(await left()).toEqual({ commands: 0, messages: 0 })
        expect(failures).toEqual([])
      } finally {
        await sweeps.stop()
      }
    },
    90_000,
  )

  it('takes the rest of what another replica is deleting, and waits for none of it', async () => {
    await fill({ commands: 3_500, messages: 3_500 })
    const other = await pool.connect()
    try {
      await other.query('BEGIN')
      await other.query('DELETE FROM commands WHERE recorded_at <= 1500')
      await other.query('DELETE FROM outbox WHERE position <= 1500')
      expect(await sweep(pool, new FakeClock(), 1)).toEqual({ commands: 2_000, messages: 2_000 })
      await other.query('COMMIT')
      expect(await left()).toEqual({ commands: 0, messages: 0 })
    } finally {
      other.release(true)
    }
  })
})
