import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { asPg, classifyFailure, Conflict, copyOut, createPool, listen, pgTransactions } from '#postgres'
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

  it('copies rows out in binary, and goes on after one that failed', async () => {
    const client = await pool.connect()
    const select = (from: number) =>
      `SELECT n::bigint, n::integer, 'é' || n, decode(repeat('ff', n), 'hex') FROM generate_series(${from}, 3000) AS s (n) ORDER BY s.n`
    const copied = await copyOut(client, select(1), (row) => [row.int8(), row.int4(), row.text(), row.bytea()])
    expect(copied).toHaveLength(3_000)
    expect(copied[2_999]).toEqual([3_000n, 3_000, 'é3000', Buffer.alloc(3_000, 255)])
    expect(copied.every(([n, , , bytes], at) => n === BigInt(at + 1) && Buffer.alloc(at + 1, 255).equals(bytes as Buffer))).toBe(true)
    expect(await copyOut(client, select(4_000), (row) => row.int8())).toEqual([])
    const unreadable = copyOut(client, select(1), () => {
      throw new Error('cannot be read')
    })
    await expect(unreadable).rejects.toThrow('cannot be read')
    await expect(copyOut(client, 'SELECT 1 / (n - 2000) FROM generate_series(1, 3000) n', (row) => row.int4())).rejects.toMatchObject({
      code: '22012',
    })
    expect(await copyOut(client, 'SELECT 7', (row) => row.int4())).toEqual([7])
    client.release()
  })

  it('sends statements without waiting, in order, and commits none where one fails', async () => {
    const one = createPool({ ...database, maxConnections: 1 })
    const transactions = pgTransactions(one)
    const insert = (id: number) => ({ name: 'insert', text: 'INSERT INTO note VALUES ($1) RETURNING id', values: [id] })
    const count = async () => (await one.query('SELECT FROM note WHERE id BETWEEN 10 AND 99')).rowCount
    const rung: string[] = []
    await transactions.run(async (tx) => {
      asPg(tx).onCommit(() => rung.push('first'))
      const { rows, rowCount } = await asPg(tx).query(insert(10))
      expect({ rows, rowCount }).toEqual({ rows: [{ id: 10n }], rowCount: 1 })
      asPg(tx).send(insert(11))
      expect((await asPg(tx).query('SELECT FROM note WHERE id = 11')).rowCount).toBe(1)
    })
    await transactions.run((tx) => Promise.resolve(asPg(tx).send(insert(12))))
    expect(await count()).toBe(3)

    const explained = new Error('there already')
    const failed = transactions.run(async (tx) => {
      asPg(tx).onCommit(() => rung.push('second'))
      await asPg(tx).query(insert(13))
      asPg(tx).send(insert(12), () => explained)
      asPg(tx).send(insert(14))
    })
    await expect(failed).rejects.toBe(explained)
    const failedBefore = transactions.run(async (tx) => {
      asPg(tx).send(insert(12), () => explained)
      await asPg(tx).query(insert(14))
    })
    await expect(failedBefore).rejects.toBe(explained)
    await expect(transactions.run((tx) => asPg(tx).query(insert(12)))).rejects.toMatchObject({ code: '23505' })
    const swallowed = transactions.run(async (tx) => {
      await asPg(tx).query(insert(14))
      await asPg(tx)
        .query(insert(12))
        .catch(() => undefined)
    })
    await expect(swallowed).rejects.toThrow('rolled back')
    expect(await count()).toBe(3)
    expect(rung).toEqual(['first'])
    // Nothing is open, and the connection is good for more.
    await transactions.run(() => Promise.resolve())
    await one.end()
  })

  it('runs work again, once and taking nothing for certain, where what it took for certain was not so', async () => {
    const one = createPool({ ...database, maxConnections: 1 })
    const runs: boolean[] = []
    const attempt = (conflictsAlways: boolean) =>
      pgTransactions(one).run((tx) => {
        runs.push(asPg(tx).optimistic)
        asPg(tx).send({ text: `INSERT INTO note VALUES (${conflictsAlways ? 201 : 200})` })
        if (asPg(tx).optimistic || conflictsAlways) asPg(tx).send({ text: 'SELECT 1 / 0' }, () => new Conflict('it was not so'))
        return Promise.resolve()
      })
    await attempt(false)
    expect(runs).toEqual([true, false])
    await expect(attempt(true)).rejects.toThrow(Conflict)
    expect((await one.query('SELECT FROM note WHERE id IN (200, 201)')).rowCount).toBe(1)
    await one.end()
  })

  it('runs work again where its connection was lost once it was known that something was not so', async () => {
    const one = createPool({ ...database, maxConnections: 1 })
    const runs: boolean[] = []
    await pgTransactions(one).run(async (tx) => {
      const open = asPg(tx)
      runs.push(open.optimistic)
      if (!open.optimistic) return
      const { rows } = await open.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      open.send({ text: 'SELECT 1 / 0' }, () => new Conflict('it was not so'))
      // Its answer comes after that one's.
      await expect(open.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' })
      await pool.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid])
    })
    expect(runs).toEqual([true, false])
    await one.end()
  })

  it('prepares anew what failed to be prepared with BEGIN', async () => {
    const one = createPool({ ...database, maxConnections: 1 })
    const read = { name: 'read-later', text: 'SELECT id FROM later WHERE id = $1', values: [1] }
    const attempt = () => pgTransactions(one).run((tx) => asPg(tx).query(read))
    await expect(attempt()).rejects.toMatchObject({ code: '42P01' })
    await one.query('CREATE TABLE later AS SELECT 1 AS id')
    expect((await attempt()).rows).toEqual([{ id: 1 }])
    await one.end()
  })

  it.each([
    ['as the first of a transaction', (one: pg.Pool, query: pg.QueryConfig) => pgTransactions(one).run((tx) => asPg(tx).query(query))],
    ['with the commit', (one: pg.Pool, query: pg.QueryConfig) => pgTransactions(one).run((tx) => Promise.resolve(asPg(tx).send(query)))],
  ])('uses a connection on whose first named statement failed at run time, %s', async (_, run) => {
    const one = createPool({ ...database, maxConnections: 1 })
    const divide = (by: number) => ({ name: 'divide', text: 'SELECT 1 / $1::int', values: [by] })
    for (const by of [0, 1, 0, 1]) {
      const attempt = run(one, divide(by))
      if (by === 0) await expect(attempt).rejects.toMatchObject({ code: '22012' })
      else await attempt
    }
    await one.end()
  })

  it('survives the loss of a connection inside a transaction', async () => {
    const one = createPool({ ...database, maxConnections: 1 })
    const lost = pgTransactions(one).run(async (tx) => {
      const { rows } = await asPg(tx).query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
      await asPg(tx).query('SELECT pg_sleep(0.2)')
    })
    expect(classifyFailure(await lost.catch((error: unknown) => error))).toBe('unavailable')
    await pgTransactions(one).run((tx) => asPg(tx).query('SELECT 1'))
    await one.end()
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
