import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { systemClock } from '#kernel'
import { Metrics } from '#platform'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { InvariantWatch, invariantMigrations, showInvariants } from './invariant-watch.js'
import { byQuery } from './invariants.js'

let database: TestDatabase
let pool: pg.Pool
const failures: string[] = []

beforeAll(async () => {
  database = await createTestDatabase(invariantMigrations)
  pool = createPool(database)
  await pool.query('CREATE TABLE shelf (sku text, on_hand int)')
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

/** A replica that checks; each sees what the others told. */
const replica = (name: string, every_ms: number, sql = 'SELECT sku FROM shelf WHERE on_hand < 0') =>
  new InvariantWatch({
    pool,
    invariants: [byQuery(name, 'nothing is below zero', sql)],
    clock: systemClock,
    every_ms,
    onError: (_, during) => void failures.push(during),
  })

describe('invariants', () => {
  it('are checked once for all replicas, and each shows what came of it', async () => {
    const replicas = [replica('once', 60_000), replica('once', 60_000), replica('once', 60_000)]
    const checked = await Promise.all(replicas.map((each) => each.checkDue()))
    expect(checked.toSorted()).toEqual([0, 0, 1])
    for (const each of replicas) expect(await each.told()).toEqual([{ name: 'once', violations: 0, age_s: expect.any(Number) }])
    expect(await replica('never', 60_000).told()).toEqual([])
  })

  it('are counted where they are broken, up to a hundred, until they hold again', async () => {
    const watch = replica('again', 0)
    await pool.query(`INSERT INTO shelf SELECT 'S-' || i, -1 FROM generate_series(1, 250) i`)
    await watch.checkDue()
    expect(await watch.told()).toMatchObject([{ violations: 100 }])
    await pool.query('TRUNCATE shelf')
    await watch.checkDue()
    expect(await watch.told()).toMatchObject([{ violations: 0 }])
  })

  it('whose check fails keep what was told, which grows old, and the failure is reported', async () => {
    await replica('broken', 0).checkDue()
    await pool.query(`UPDATE invariant_checks SET checked_at = checked_at - interval '1 hour' WHERE name = 'broken'`)
    const watch = replica('broken', 0, 'SELECT sku FROM no_such_table')
    expect(await watch.checkDue()).toBe(0)
    const [told] = await watch.told()
    expect([told?.violations, (told?.age_s ?? 0) > 3_599, failures]).toEqual([0, true, ['invariants']])
  })
  it('whose check never succeeded are no known violations, and grow old', async () => {
    const watch = replica('never right', 0, 'SELECT sku FROM no_such_table')
    expect([await watch.checkDue(), await watch.told()]).toEqual([
      0,
      [{ name: 'never right', violations: null, age_s: expect.any(Number) }],
    ])
    await pool.query(`UPDATE invariant_checks SET since = since - interval '1 hour' WHERE name = 'never right'`)
    await watch.checkDue()
    const metrics = new Metrics('notes')
    showInvariants(metrics, watch)
    const { text } = await metrics.exposition(undefined)
    expect(Number(/^invariant_check_age_seconds\{invariant="never right",app="notes"\} (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(3_599)
    expect(text).not.toMatch(/^invariant_violations\{/m)
  })
})
