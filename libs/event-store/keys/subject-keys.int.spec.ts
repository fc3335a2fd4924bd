import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { masterKeysOf, pgSubjectKeys, rewrapSubjectKeys, seal, subjectKeyGrants, subjectKeyMigrations } from '#event-store'
import { subjectKeysConformance } from '#event-store/testing'
import { systemClock } from '#kernel'
import { FakeClock } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'

const [old, young] = ['o'.repeat(32), 'y'.repeat(32)]

subjectKeysConformance('PostgreSQL', async () => {
  const database = await createTestDatabase(subjectKeyMigrations, 'keys')
  const pool = createPool(database)
  return {
    keys: pgSubjectKeys(pool, masterKeysOf(young), systemClock),
    async close() {
      await pool.end()
      await database.drop()
    },
  }
})

describe('subject keys on PostgreSQL', () => {
  let database: TestDatabase
  let pool: pg.Pool
  const pools: pg.Pool[] = []
  const createPoolOf = (maxConnections: number): pg.Pool => {
    const made = createPool({ ...database, maxConnections })
    pools.push(made)
    return made
  }
  beforeAll(async () => {
    database = await createTestDatabase(subjectKeyMigrations, 'keys')
    pool = createPool(database)
  })
  afterAll(async () => {
    await Promise.all([pool, ...pools].map((each) => each.end()))
    await database.drop()
  })

  const wrappedBy = async (): Promise<ReadonlySet<string | null>> =>
    new Set(
      (await pool.query<{ master_key_id: string | null }>('SELECT master_key_id FROM subject_keys')).rows.map((row) => row.master_key_id),
    )

  it('are wrapped anew by another master key, while what they sealed stays as it is', async () => {
    const before = pgSubjectKeys(pool, masterKeysOf(old), systemClock)
    const sealed = await Promise.all([1, 2, 3].map(async (at) => seal(await before.forSubject(`rotated-${at}`), `text ${at}`)))
    await before.erase('rotated-2')
    const both = masterKeysOf(young, old)
    const during = pgSubjectKeys(pool, both, systemClock)
    expect(await during.openAll(sealed)).toEqual(['text 1', undefined, 'text 3'])
    expect(await rewrapSubjectKeys(pool, both)).toBe(2)
    expect(await rewrapSubjectKeys(pool, both)).toBe(0)
    expect(await wrappedBy()).toEqual(new Set([masterKeysOf(young)[0].id, null]))
    expect(await pgSubjectKeys(pool, masterKeysOf(young), systemClock).openAll(sealed)).toEqual(['text 1', undefined, 'text 3'])
    await expect(pgSubjectKeys(pool, masterKeysOf(old), systemClock).openAll(sealed)).rejects.toThrow('not configured')
  })

  it('of thousands who come at once need no more than the connections there are', async () => {
    const crowd = Array.from({ length: 2_000 }, (_, at) => `crowd-${at % 1_500}`)
    const keys = pgSubjectKeys(createPoolOf(1), masterKeysOf(young), systemClock)
    const sealed = await Promise.all(crowd.map(async (subject) => seal(await keys.forSubject(subject), subject)))
    expect(await pgSubjectKeys(pool, masterKeysOf(young), systemClock).openAll(sealed)).toEqual(crowd)
  })

  it('that cannot be read fail for who asks, and are there for who asks later', async () => {
    const broken = createPoolOf(1)
    const keys = pgSubjectKeys(broken, masterKeysOf(young), systemClock)
    await pool.query('ALTER TABLE subject_keys RENAME TO away')
    const asked = await Promise.allSettled(['a', 'b', 'a'].map((subject) => keys.forSubject(subject)))
    await pool.query('ALTER TABLE away RENAME TO subject_keys')
    expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(await keys.forSubject('a')).toMatchObject({ subject: 'a' })
  })

  it('are remembered for seconds only after another process destroyed them', async () => {
    const clock = new FakeClock()
    const reader = pgSubjectKeys(pool, masterKeysOf(young), clock)
    const sealed = [seal(await reader.forSubject('elsewhere'), 'x')]
    expect(await reader.openAll(sealed)).toEqual(['x'])
    await pgSubjectKeys(pool, masterKeysOf(young), systemClock).erase('elsewhere')
    clock.advance(5_000)
    expect(await reader.openAll(sealed)).toEqual([undefined])
  })

  it('are made and destroyed only by the role that may', async () => {
    const name = `reader_${database.url.split('/').at(-1)}`
    const url = new URL(database.url)
    url.username = url.password = name
    await pool.query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'`)
    for (const grant of subjectKeyGrants(name, 'read')) await pool.query(grant)
    const readers = createPool({ ...database, url: url.href, maxConnections: 1 })
    try {
      const keys = pgSubjectKeys(pool, masterKeysOf(young), systemClock)
      const sealed = [seal(await keys.forSubject('granted'), 'x')]
      const reader = pgSubjectKeys(readers, masterKeysOf(young), systemClock)
      expect(await reader.openAll(sealed)).toEqual(['x'])
      await expect(reader.erase('granted')).rejects.toThrow('permission denied')
      await expect(reader.forSubject('ungranted')).rejects.toThrow('permission denied')
    } finally {
      await readers.end()
      await pool.query(`DROP OWNED BY ${name}`)
      await pool.query(`DROP ROLE ${name}`)
    }
  })
})
