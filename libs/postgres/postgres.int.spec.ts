import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { asPg, classifyFailure, createPool, listen, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type { MigrationInterface, QueryRunner } from 'typeorm'
import type pg from 'pg'

class CreateNote1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query('CREATE TABLE note (id bigint PRIMARY KEY)')
  }
  async down() {}
}

describe('postgres', () => {
  let database: TestDatabase
  let pool: pg.Pool

  beforeAll(async () => {
    database = await createTestDatabase([CreateNote1700000000000])
    pool = createPool(database)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it('commits what resolves, rolls back what rejects, and reads bigint whole', async () => {
    const transactions = pgTransactions(pool)
    await transactions.run((tx) => asPg(tx).query('INSERT INTO note VALUES (9007199254740993)'))
    const boom = new Error('boom')
    await expect(
      transactions.run(async (tx) => {
        await asPg(tx).query('INSERT INTO note VALUES (2)')
        throw boom
      }),
    ).rejects.toBe(boom)
    expect((await pool.query('SELECT id FROM note')).rows).toEqual([{ id: 9007199254740993n }])
  })

  it('rings when notified, and again after its connection was cut', async () => {
    let rings = 0
    const bell = await listen(database, 'a_channel', () => rings++)
    const until = async (count: number) => {
      for (let tries = 0; rings < count && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
      expect(rings).toBeGreaterThanOrEqual(count)
    }
    await until(1)
    await pool.query('NOTIFY a_channel')
    await until(2)
    await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`)
    await until(3)
    await bell.close()
  })

  it('tells a passing fault from a bug', async () => {
    const syntax = await pool.query('SELEC').catch((error: unknown) => error)
    expect(classifyFailure(syntax)).toBe('bug')
    expect(classifyFailure({ code: '40P01' })).toBe('retry')
    const slow = createPool({ ...database, statementTimeout_ms: 20 })
    const late = await slow.query('SELECT pg_sleep(1)').catch((error: unknown) => error)
    expect(classifyFailure(late)).toBe('unavailable')
    await slow.end()
  })
})
