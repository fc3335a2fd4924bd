import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { pgSagaStore, SagaDefinitions, SagaEngine, sagaIdFor, sagaMigrations, sagaStream, type SagaInput } from '#saga'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type pg from 'pg'
import { patience, STEPS, WINDOW_MS, work } from './testing/takeover-saga.js'

const SAGAS = 1_000
const CONCURRENCY = 16
/** How often a worker says that it lives. */
const BEAT_MS = 1_000

let database: TestDatabase
let pool: pg.Pool
const processes: ChildProcess[] = []
beforeAll(async () => {
  database = await createTestDatabase([...eventStoreMigrations, ...sagaMigrations])
  pool = createPool(database)
  await pool.query('CREATE TABLE runs (key text, process int, began timestamptz NOT NULL DEFAULT clock_timestamp())')
  await pool.query('CREATE TABLE effects (key text PRIMARY KEY, process int)')
})
afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL')
  await pool.end()
  await database.drop()
})

const spawnWorker = async (): Promise<ChildProcess> => {
  const script = new URL('./testing/takeover-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--conditions=source', '--import', './test/simulation/typescript.mjs', script], {
    env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: database.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  processes.push(child)
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => Promise.reject(new Error('the worker ended')))])
  return child
}

const startAll = async (type: string, sagas: number): Promise<void> => {
  const postgres = database
  const types = [sagaStream]
  const commands = await openEventStore({ pool, postgres, types, publish: () => [], clock: systemClock, app: 'takeover' })
  const definitions = new SagaDefinitions([work, patience])
  const engine = new SagaEngine({ commands, store: pgSagaStore(pool, database), definitions, clock: systemClock, app: 'takeover' })
  for (let from = 0; from < sagas; from += 100) {
    const inputs = Array.from({ length: Math.min(100, sagas) }, (_, nth): SagaInput => {
      const correlationKey = `saga-${from + nth}`
      const context = { correlationId: correlationKey, causationId: 'test' }
      const sagaId = sagaIdFor(type, correlationKey)
      return { kind: 'start', id: `start ${type} ${correlationKey}`, sagaId, context, type, correlationKey, data: {} }
    })
    await pgTransactions(pool).run((tx) => engine.apply(inputs, tx))
  }
  await commands.close()
}

const count = async (sql: string, values: unknown[] = []): Promise<number> => {
  const { rows } = await pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${sql}`, values)
  return rows[0]?.count ?? 0
}

it('of two processes one is killed in the middle of 1,000 sagas: the other ends them all, each effect once', async () => {
  const [victim] = await Promise.all([spawnWorker(), spawnWorker()])
  await startAll('work', SAGAS)
  await eventually('a third is done', async () => (await count('effects')) > SAGAS)
  victim.kill('SIGKILL')
  await once(victim, 'exit')
  const killed = (await pool.query<{ at: Date }>('SELECT clock_timestamp() AS at')).rows[0]?.at
  await eventually(
    'all are completed',
    async () => (await count(`saga_instances WHERE type = 'work' AND status = 'COMPLETED'`)) === SAGAS,
    180_000,
  )
  expect(await count('effects')).toBe(SAGAS * STEPS.length)
  // The killed one did its part, and only what it had under way was run again.
  expect(await count('effects WHERE process = $1', [victim.pid])).toBeGreaterThan(0)
  const again = (await count('runs')) - SAGAS * STEPS.length
  expect([again > 0, again <= CONCURRENCY]).toEqual([true, true])
  // What it had under way the other took up before all that was still in line, the half of it in under 5 s: three beats until the dead counts as
  // dead, at most one until that is found, and one for claiming and beginning. On a slow machine that last one is as long as four turns
  // of the same process at the same time. A turn is the 99th percentile of the time from one run's beginning to the next one's: as no more than
  // `CONCURRENCY` begin together it is none of the short ones between them, and it is no single stall.
  const { rows } = await pool.query<{ median_ms: number; turn_ms: number }>(
    `SELECT (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM other.began - $2) * 1000)
             FROM runs mine JOIN runs other ON other.key = mine.key AND other.process <> mine.process
             WHERE mine.process = $1) AS median_ms,
            (SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY turn)
             FROM (SELECT extract(epoch FROM began - lag(began) OVER (ORDER BY began))::float8 * 1000 AS turn
                   FROM runs WHERE process <> $1 AND began > $2 ORDER BY began LIMIT $3) turns) AS turn_ms`,
    [victim.pid, killed, SAGAS],
  )
  const { median_ms, turn_ms } = rows[0] ?? { median_ms: NaN, turn_ms: NaN }
  expect(median_ms).toBeLessThan(4 * BEAT_MS + Math.max(BEAT_MS, 4 * turn_ms))
  expect(await count('saga_tasks')).toBe(0)
  // No saga went a step twice.
  expect(await count(`events WHERE type = 'ActionSucceeded'`)).toBe(SAGAS * STEPS.length)
}, 300_000)

it('a timer goes off when it is due, and not before, although its process was killed and another started meanwhile', async () => {
  for (const child of processes.splice(0)) child.kill('SIGKILL')
  const victim = await spawnWorker()
  await startAll('patience', 1)
  victim.kill('SIGKILL')
  await once(victim, 'exit')
  await spawnWorker()
  await eventually(
    'it is over',
    async () => (await count(`saga_instances WHERE type = 'patience' AND status = 'COMPENSATED'`)) === 1,
    180_000,
  )
  const { rows } = await pool.query<{ late_ms: number }>(
    `SELECT extract(epoch FROM updated_at - started_at)::float8 * 1000 - $1 AS late_ms FROM saga_instances WHERE type = 'patience'`,
    [WINDOW_MS],
  )
  expect(rows[0]?.late_ms ?? NaN).toBeGreaterThanOrEqual(0)
}, 300_000)
