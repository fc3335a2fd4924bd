import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { sweep } from '#event-store'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import type pg from 'pg'
import { placePostgres } from '../../apps/bahi/postgres/placement.js'
import { startPostgres } from '../../apps/bahi/postgres/server.js'
import { audit } from './audit.js'
import { end, newHome, removeHome, ROOT, spawnPlatform, type Spawned } from './running-process.js'
import { random, Shop, Traffic } from './traffic.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const LANES = 6
const LIFE_MS = 3_000
const LOOKS = 150
const BETWEEN_LOOKS_MS = 200

/** Of the section of docs/operations.md, in order: what an operator is told to run. */
const statementsOf = (section: string): readonly string[] => {
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  const text = page.split(/^## /m).find((each) => each.startsWith(`${section}\n`)) ?? ''
  return [...text.matchAll(/^```sql\n(.*?)^```$/gms)].map(([, sql = '']) => sql)
}

/** Every row that the projection writes, and the versions that it applied. */
const READ = ['orders', 'products', 'stock', 'payments', 'order_history', 'applied_versions']

type Rows = Readonly<Record<string, readonly string[]>>

describe(`read models rebuilt (CHAOS_SEED=${SEED})`, () => {
  const home = newHome()
  let platform: Spawned | undefined
  const live = async (port = 0): Promise<string> => {
    platform = spawnPlatform({ home, port })
    return platform.ready
  }
  const stopped = async (): Promise<void> => {
    if (platform) await end(platform, 'SIGTERM')
    platform = undefined
  }
  afterEach(async () => {
    await stopped()
    removeHome(home)
  })

  const inSchema = async <T>(schema: string, work: (pool: pg.Pool) => Promise<T>): Promise<T> => {
    const password = readFileSync(join(home, 'postgres/password'), 'utf8').trim()
    const port = readFileSync(join(home, 'postgres/port'), 'utf8').trim()
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/bahi`
    const pool = createPool({ url, schema, applicationName: 'operator', maxConnections: 1 })
    try {
      return await work(pool)
    } finally {
      await pool.end()
    }
  }

  const rows = (): Promise<Rows> =>
    inSchema('order_query', async (pool) => {
      const found: Record<string, readonly string[]> = {}
      for (const table of READ) {
        const { rows: all } = await pool.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${table} t ORDER BY 1`)
        found[table] = all.map(({ row }) => row)
      }
      return found
    })

  /** Few of them: thousands of rows tell no more. */
  const differences = async (before: Rows): Promise<readonly string[]> => {
    const after = await rows()
    return READ.flatMap((table) => {
      const [was, is] = [before[table] ?? [], after[table] ?? []]
      const beyond = (rows: readonly string[], others: readonly string[], says: string) => {
        const known = new Set(others)
        return rows
          .filter((row) => !known.has(row))
          .slice(0, 3)
          .map((row) => `${table} ${says} ${row}`)
      }
      return [...beyond(was, is, 'lacks'), ...beyond(is, was, 'has')]
    })
  }

  const lastingDifferences = async (before: Rows): Promise<readonly string[]> => {
    for (let attempt = 0; attempt < LOOKS; attempt++) {
      if ((await differences(before)).length === 0) return []
      await wait(BETWEEN_LOOKS_MS)
    }
    return await differences(before)
  }

  const nothingWaits = async (shop: Shop): Promise<void> => {
    const admin = await shop.token('admin', 'admin')
    await eventually(
      'all groups have read all',
      async () => {
        const { items } = await shop.get<{ items: readonly { group: string; lag: number }[] }>('/v1/ops/consumers', admin)
        return items.every(({ lag }) => lag === 0)
      },
      30_000,
    )
  }

  it('orders, products and stock from the events, as they were; payments and what others did stay, and nothing happens twice', async () => {
    const port = Number(new URL(await live()).port)
    const shop = new Shop(`http://localhost:${port}`)
    const traffic = new Traffic(shop, random(SEED), `rebuild-${SEED}`)
    await traffic.open(4, 3)
    traffic.start(LANES)
    await shop.answers(LANES)
    await wait(LIFE_MS)
    await traffic.stop()
    expect(await audit(traffic)).toEqual([])
    await nothingWaits(shop)
    await stopped()

    const server = await startPostgres(await placePostgres(home))
    const before = await rows()
    for (const table of READ) expect([table, before[table]?.length ?? 0]).not.toEqual([table, 0])
    // As after half a minute: of what was sent only what events carry is there to be sent again.
    await inSchema('order_command', async (pool) => {
      await sweep(pool, systemClock, 86_400_000)
      const { rows: relays } = await pool.query('SELECT FROM relay WHERE swept > 0')
      expect(relays).toHaveLength(1)
    })
    // A projection at fault: rows that are wrong, that are missing, and that should not be.
    await inSchema('order_query', async (pool) => {
      await pool.query(`UPDATE orders SET status = 'PACKED', version = 9`)
      await pool.query('UPDATE stock SET available = available + 7')
      await pool.query(`DELETE FROM order_history WHERE stream LIKE 'order-%' AND version = 1`)
      await pool.query(`INSERT INTO products (sku, title) VALUES ('NOBODYS', 'sold by nobody')`)
    })
    const [ofQuery = '', ofCommand = ''] = statementsOf('Read models, rebuilt')
    await inSchema('order_query', (pool) => pool.query(ofQuery))
    await inSchema('order_command', (pool) => pool.query(ofCommand))
    await server.stop()

    await live(port)
    expect(await lastingDifferences(before)).toEqual([])
    // The books agree with what was acknowledged, and the platform takes more.
    expect(await audit(traffic)).toEqual([])
    traffic.start(LANES)
    await shop.answers(LANES)
    await wait(LIFE_MS)
    await traffic.stop()
    expect(await audit(traffic)).toEqual([])
  }, 600_000)
})
