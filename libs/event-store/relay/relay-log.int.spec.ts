import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type pg from 'pg'
import { directRelay, eventStoreMigrations, holdRelay, letRelayGo, lookAtRelay, openEventStore, type EventStore } from '../index.js'

let database: TestDatabase
let pool: pg.Pool
let store: EventStore
let commands = 0

beforeAll(async () => {
  database = await createTestDatabase(eventStoreMigrations)
  pool = createPool(database)
  store = await openEventStore({ pool, postgres: database, types: [], publish: () => [], clock: systemClock, app: 'test' })
})
afterAll(async () => {
  await store.close()
  await pool.end()
  await database.drop()
})

const say = async (): Promise<void> => {
  const id = `c-${++commands}`
  const context = { correlationId: id, causationId: id }
  await store.execute({
    id,
    fingerprint: id,
    streams: [],
    metadata: { ...context, actor: 'tester' },
    decide: () => ({ appends: [], messages: [{ topic: 't', key: 'k', type: 'Said', schemaVersion: 1, data: {}, context }], answer: '' }),
  })
}

describe('a store that is moved to another log', () => {
  it('holds what is committed after, and not what was before, while many commit and relays read', async () => {
    expect(await holdRelay(pool, 'old')).toBe(false)
    await store.outbox.lease('relay', 60_000, 'old')
    let busy = true
    let seen = 0n
    const appending = Array.from({ length: 8 }, async () => {
      while (busy) await say()
    })
    const reading = Array.from({ length: 4 }, async () => {
      while (busy) {
        const last = (await store.outbox.after(seen, 1_000, 'old')).at(-1)
        if (last && last.position > seen) seen = last.position
      }
    })
    for (let round = 0; round < 20; round++) {
      const before = commands
      while (commands < before + 20) await systemClock.sleep(1)
      expect(await holdRelay(pool, 'old')).toBe(true)
      const { heldAt = 0n, left } = await lookAtRelay(pool)
      const already = seen
      expect([already <= heldAt, left > 0]).toEqual([true, true])
      while (commands < before + 40) await systemClock.sleep(1)
      expect(seen).toBeLessThanOrEqual(heldAt)
      expect(await holdRelay(pool, 'old')).toBe(true)
      expect((await lookAtRelay(pool)).heldAt).toBe(heldAt)
      await letRelayGo(pool)
    }
    busy = false
    await Promise.all([...appending, ...reading])
  })

  it('is held no earlier than a relay has read, however long it takes to write that down', async () => {
    await letRelayGo(pool)
    const other = await pool.connect()
    await other.query('BEGIN')
    await other.query('SELECT FROM relay FOR UPDATE')
    const held = holdRelay(pool, 'old')
    await eventually(
      'it waits',
      async () => {
        const { rows } = await pool.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%held_at%' AND datname = current_database()`,
        )
        return rows.length > 0
      },
      5_000,
    )
    const said = say()
    // It may be committed now, where nothing keeps it from that.
    await Promise.race([said, systemClock.sleep(200)])
    const seen = (await store.outbox.after(0n, 1_000_000, 'old')).at(-1)?.position ?? 0n
    await other.query('COMMIT')
    other.release()
    await Promise.all([held, said])
    expect((await lookAtRelay(pool)).heldAt).toBe(seen)
    await letRelayGo(pool)
  })

  it('is directed to it when all is published up to there, and then publishes nothing to the log before', async () => {
    const lease = await store.outbox.lease('relay', 60_000, 'old')
    await holdRelay(pool, 'old')
    await say()
    expect(await directRelay(pool, 'new')).toBe(false)
    const { heldAt = 0n } = await lookAtRelay(pool)
    await store.outbox.advance(lease?.epoch ?? 0n, heldAt)
    expect((await lookAtRelay(pool)).left).toBe(0)
    expect(await directRelay(pool, 'new')).toBe(true)
    expect(await directRelay(pool, 'new')).toBe(false)
    expect(await store.outbox.after(0n, 10, 'old')).toEqual([])
    expect(await store.outbox.lease('relay', 60_000, 'old')).toBeUndefined()
    expect(await store.outbox.advance(lease?.epoch ?? 0n, heldAt + 1n)).toBe(false)
    const next = await store.outbox.lease('another', 60_000, 'new')
    expect(next?.position).toBe(heldAt)
    expect(await store.outbox.after(heldAt, 10, 'new')).toHaveLength(1)
  })
})
