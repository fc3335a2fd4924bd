import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { asPg, classifyFailure, type PgTransaction } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm'
import {
  AppliedVersions,
  asTypeorm,
  dataSourceOptions,
  projectionsMigrations,
  typeormRows,
  typeormTransactions,
  upsert,
  type AppliedStream,
} from '#projections'
import { CREATE_PARCELS, ParcelRow, parcels, rowStoreConformance } from '#projections/testing'

class CreateParcels1764000000999 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query(CREATE_PARCELS)
  }
  async down() {}
}

const INCARNATION = '0190a000-0000-7000-8000-00000000000a'

const open = async () => {
  const database = await createTestDatabase([...projectionsMigrations, CreateParcels1764000000999])
  const source = await new DataSource(dataSourceOptions(database, [ParcelRow])).initialize()
  return { database, source }
}

rowStoreConformance('PostgreSQL', async () => {
  const { database, source } = await open()
  return {
    rows: typeormRows(source),
    transactions: typeormTransactions(source),
    read: async (of) =>
      (await source.getRepository(of.entity).find()).map((row) => {
        const json: Record<string, unknown> = JSON.parse(JSON.stringify(row))
        return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null))
      }),
    clear: async () => void (await source.query('TRUNCATE parcels, applied_versions')),
    close: async () => {
      await source.destroy()
      await database.drop()
    },
  }
})

describe('projections on PostgreSQL', () => {
  let database: TestDatabase
  let source: DataSource
  beforeAll(async () => {
    ;({ database, source } = await open())
  })
  afterAll(async () => {
    await source.destroy()
    await database.drop()
  })

  const stream = (name: string, version: number): AppliedStream => ({ stream: name, incarnation: INCARNATION, version: BigInt(version) })

  it('commits entities and plain SQL together, and a failed transaction gives its connection back', async () => {
    const transactions = typeormTransactions(source)
    await transactions.run(async (transaction) => {
      const tx = asTypeorm(transaction)
      await tx.manager.save(ParcelRow, { shelf: 'x', parcelId: '1', label: 'entity' })
      await tx.query('UPDATE parcels SET weight_mg = 5 WHERE shelf = $1', ['x'])
      expect(await source.getRepository(ParcelRow).countBy({ shelf: 'x' })).toBe(0)
    })
    expect(await source.getRepository(ParcelRow).findOneBy({ shelf: 'x' })).toMatchObject({ label: 'entity', weight: '5' })
    for (let times = 0; times < database.maxConnections + 1; times++)
      await expect(transactions.run((tx) => asTypeorm(tx).query('SELECT 1/0'))).rejects.toThrow('division')
    expect(await source.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('gives the rows of a statement that nobody waits for after COMMIT, and not of one that was rolled back', async () => {
    const transactions = typeormTransactions(source)
    const told: unknown[] = []
    const send = (tx: PgTransaction, n: number) =>
      tx.send<{ n: number }>({ text: 'SELECT $1::int AS n', values: [n] }, undefined, (rows) => told.push(...rows))
    await transactions.run(async (transaction) => {
      const tx = asPg(transaction)
      send(tx, 1)
      await tx.query('SELECT 1')
      tx.onCommit(() => told.push('committed'))
      send(tx, 2)
      expect(told).toEqual([])
    })
    expect(told).toEqual([{ n: 1 }, 'committed', { n: 2 }])
    const failed = transactions.run(async (transaction) => {
      send(asPg(transaction), 3)
      asPg(transaction).send({ text: 'SELECT 1 / 0' })
      await Promise.resolve()
    })
    await expect(failed).rejects.toThrow('division by zero')
    expect(told).toHaveLength(3)
  })

  it('survives a connection cut inside a transaction', async () => {
    const transactions = typeormTransactions(source)
    const cut = transactions.run(async (transaction) => {
      const tx = asTypeorm(transaction)
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await source.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
      await tx.query('SELECT 1')
    })
    await expect(cut).rejects.toThrow()
    await transactions.run((tx) => asTypeorm(tx).query('SELECT 1'))
  })

  it('tells a connection that was lost while nothing was asked on it from a bug', async () => {
    const lost = typeormTransactions(source).run(async (transaction) => {
      const tx = asTypeorm(transaction)
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await source.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid])
      await eventually('TypeORM has noticed', () => tx.manager.queryRunner?.isReleased === true)
    })
    expect(classifyFailure(await lost.catch((error: unknown) => error))).toBe('unavailable')
  })

  it('lets failures of the database be told apart through TypeORM', async () => {
    const failure = (sql: string) => source.query(sql).catch((error: unknown) => classifyFailure(error))
    expect(await failure('SELEC')).toBe('bug')
    expect(await failure(`SELECT pg_terminate_backend(pg_backend_pid())`)).toBe('unavailable')
    expect(await failure(`SET statement_timeout = 10; SELECT pg_sleep(5)`)).toBe('unavailable')
    const nobody = new DataSource(dataSourceOptions({ ...database, url: 'postgres://nobody@127.0.0.1:1/none' }, []))
    expect(classifyFailure(await nobody.initialize().catch((error: unknown) => error))).toBe('unavailable')
  })

  it('opens no more transactions at once than it may, and gives the turn of a failed one on', async () => {
    const transactions = typeormTransactions(source, { mostAtOnce: 2 })
    let [open, most] = [0, 0]
    const results = await Promise.allSettled(
      Array.from({ length: 9 }, (_, index) =>
        transactions.run(async (tx) => {
          most = Math.max(most, ++open)
          await asTypeorm(tx).query('SELECT pg_sleep(0.005)')
          open--
          if (index % 2 === 0) throw new Error('failed')
        }),
      ),
    )
    expect([most, results.filter(({ status }) => status === 'fulfilled').length]).toEqual([2, 4])
  })

  it('lets one of two transactions that apply the same message have the effect', async () => {
    const rows = typeormRows(source)
    const transactions = typeormTransactions(source)
    const moved = await Promise.all(
      Array.from({ length: 4 }, () =>
        transactions.run(async (tx) => {
          const streams = await rows.advance(tx, [stream('parcel-2', 1), stream('parcel-1', 1)])
          await rows.upsert(tx, [upsert(parcels, { shelf: 'race', parcelId: '1' })])
          return streams.size
        }),
      ),
    )
    expect(moved.toSorted()).toEqual([0, 0, 0, 2])
  })

  it('refuses a table whose key is not its primary key', async () => {
    const wrong = { entity: ParcelRow, key: ['shelf'] }
    const writing = typeormTransactions(source).run((tx) => typeormRows(source).upsert(tx, [{ table: wrong, row: { shelf: 's' } }]))
    await expect(writing).rejects.toThrow('the key of ParcelRow is (parcelId, shelf)')
  })

  it('sees what another replica applied, by polling', async () => {
    const applied = new AppliedVersions({ rows: typeormRows(source), clock: systemClock, categories: ['parcel'], poll_ms: 10 })
    const waiting = applied.waitFor({ incarnation: INCARNATION, streams: { 'parcel-poll': 2 } }, 'c-1')
    const other = typeormRows(source)
    await typeormTransactions(source).run((tx) => other.advance(tx, [stream('parcel-poll', 2)]))
    expect(await waiting).toBe(true)
  })
})
