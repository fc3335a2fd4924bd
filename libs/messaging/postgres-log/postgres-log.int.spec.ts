import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { logMigrations, postgresLog } from '#messaging'
import { eventually, logConformance } from '#messaging/testing'
import { GroupMember } from './member.js'

const kill = async (consumer: unknown) => {
  if (!(consumer instanceof GroupMember)) throw new Error('not a member')
  await consumer.die()
}

for (const shared of [true, false]) {
  logConformance(`PostgreSQL, ${shared ? 'one process' : 'several processes'}`, async () => {
    const database = await createTestDatabase(logMigrations, 'log')
    return {
      driver: () => postgresLog({ url: database.url, shared, leaseTtl_ms: 1_500, maxConnections: 3 }),
      kill,
      stop: () => database.drop(),
    }
  })
}

describe('the log in PostgreSQL', () => {
  let database: TestDatabase
  let pool: pg.Pool
  beforeAll(async () => {
    database = await createTestDatabase(logMigrations, 'log')
    pool = createPool(database)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })
  const record = (key: string) => ({ topic: 't', key, headers: {}, value: Buffer.from('{}') })

  it('removes what is past its retention, and a reader from before goes on at what is left', async () => {
    const driver = postgresLog({ url: database.url, shared: false })
    await driver.ensureTopics([{ name: 't', partitions: 1, retention_ms: 60_000 }])
    const producer = await driver.producer()
    await producer.send(Array.from({ length: 30 }, () => record('k')))
    await pool.query('UPDATE record SET recorded_at_ms = recorded_at_ms - 120000 WHERE "offset" < 20')
    await pool.query('SELECT retain(7)')
    expect(await driver.offsets('t')).toEqual([{ partition: 0, first: 7n, next: 30n }])
    await pool.query('SELECT retain(1000)')
    expect(await driver.offsets('t')).toEqual([{ partition: 0, first: 20n, next: 30n }])
    const seen: bigint[] = []
    await driver.consume({
      group: 'g',
      topics: ['t'],
      maxBatch: 8,
      startOffset: () => Promise.resolve(3n),
      onBatch: (_, records) => Promise.resolve(void seen.push(...records.map(({ offset }) => offset))),
    })
    await eventually('the rest', () => seen.length === 10)
    expect(seen[0]).toBe(20n)
    await driver.close()
  })

  it('keeps offsets dense and deadlocks nobody when many send to many partitions at once', async () => {
    const drivers = Array.from({ length: 4 }, () => postgresLog({ url: database.url, shared: false, maxConnections: 2 }))
    await drivers[0]?.ensureTopics([
      { name: 't', partitions: 5, retention_ms: 60_000 },
      { name: 'u', partitions: 5, retention_ms: 60_000 },
    ])
    await Promise.all(
      drivers.map(async (driver, which) => {
        const producer = await driver.producer()
        for (let round = 0; round < 25; round++)
          await producer.send(
            Array.from({ length: 20 }, (_, n) => ({ ...record(`${which}-${round}-${n}`), topic: (n + which) % 2 ? 't' : 'u' })),
          )
      }),
    )
    const { rows } = await pool.query(
      `SELECT p.id FROM partition p LEFT JOIN record r ON r.partition_id = p.id
       GROUP BY p.id HAVING count(r.*) <> p.next - p.first OR min(r."offset") <> p.first`,
    )
    expect(rows).toEqual([])
    await Promise.all(drivers.map((driver) => driver.close()))
  })

  it('refuses a topic that nobody ensured', async () => {
    const driver = postgresLog({ url: database.url, shared: false })
    await expect((await driver.producer()).send([{ ...record('k'), topic: 'nowhere' }])).rejects.toMatchObject({ name: 'UnknownTopic' })
    await driver.close()
  })
})
