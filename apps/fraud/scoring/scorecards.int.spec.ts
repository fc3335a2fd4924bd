import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Backgrounds, DEFAULT_SCORECARD, featuresOf, scorecardScorer } from '#fraud'
import { paise } from '#kernel'
import { FakeClock } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { fraudTables } from '../migrations.js'
import { PgScorecards } from './scorecards.js'

describe('scorecards in PostgreSQL', () => {
  const clock = new FakeClock(Date.UTC(2026, 10, 1))
  let database: TestDatabase
  let pool: pg.Pool
  let scorecards: PgScorecards

  beforeAll(async () => {
    database = await createTestDatabase(fraudTables)
    pool = createPool(database)
    scorecards = new PgScorecards(pool, clock)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  const features = (amount: number) => {
    const transaction = { customerId: 'c-1', amount: paise(amount), method: 'card', addressHash: 'a', deviceHash: 'd', at: clock.now() }
    const nothing = { customers: new Map(), byCustomer: new Map(), byDevice: new Map(), byAddress: new Map(), known: new Set<string>() }
    return featuresOf(transaction, new Backgrounds(nothing).of(transaction))
  }

  it('begin with the default one', async () => {
    const [scorer, expected] = [await scorecards.current(), scorecardScorer(DEFAULT_SCORECARD)]
    expect(scorer.version).toBe(expected.version)
    for (const amount of [100, 6_000_000, 20_000_000, 100_000_000])
      expect(scorer.score(features(amount))).toEqual(expected.score(features(amount)))
  })

  it('change by rows, from their date on, without a restart', async () => {
    await pool.query(`INSERT INTO scorecard VALUES ('strict', '2026-11-01T01:00:00Z', 100, 200)`)
    await pool.query(`INSERT INTO scorecard_weight VALUES ('strict', 'any', 'amount_paise', 1, 150, NULL, 'any amount')`)
    clock.advance(30 * 60_000)
    expect((await scorecards.current()).version).toBe('scorecard-1')
    clock.advance(30 * 60_000)
    const strict = await scorecards.current()
    expect(strict.version).toBe('strict')
    expect(strict.score(features(1))).toEqual({
      score: 0.15,
      decision: 'review',
      reasons: [{ code: 'any', contribution: 0.15, text: 'any amount' }],
    })
  })

  it('score nothing while none is in force', async () => {
    await expect(new PgScorecards(pool, new FakeClock(-1)).current()).rejects.toThrow('no scorecard is in force')
  })
})
