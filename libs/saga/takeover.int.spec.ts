import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { eventually } from '#messaging/testing'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import { pgSagaStore, SagaDefinitions, SagaEngine, sagaIdFor, sagaMigrations, sagaStream, type SagaInput } from '#saga'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type pg from 'pg'
import { STEPS, work } from './testing/takeover-saga.js'

const SAGAS = 1_000
const CONCURRENCY = 16

let database: TestDatabase
let pool: pg.Pool
const processes: ChildProcess[] = []
beforeAll(async () => {
  database = await createTestDatabase([...eventStoreMigrations, ...sagaMigrations])
  pool = createPool(database)
  await pool.query('CREATE TABLE runs (key text, process int)')
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

const startAll = async (): Promise<void> => {
  const postgres = database
  const types = [sagaStream]
  const commands = await openEventStore({ pool, postgres, types, publish: () => [], clock: systemClock, app: 'takeover' })
  const definitions = new SagaDefinitions([work])
  const engine = new SagaEngine({ commands, store: pgSagaStore(pool, database), definitions, clock: systemClock, app: 'takeover' })
  for (let from = 0; from < SAGAS; from += 100) {
    const inputs = Array.from({ length: 100 }, (_, nth): SagaInput => {
      const correlationKey = `saga-${from + nth}`
      const context = { correlationId: correlationKey, causationId: 'test' }
      const sagaId = sagaIdFor('work', correlationKey)
      return { kind: 'start', id: `start ${correlationKey}`, sagaId, context, type: 'work', correlationKey, data: {} }
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
  await startAll()
  await eventually('a third is done', async () => (await count('effects')) > SAGAS)
  victim.kill('SIGKILL')
  await once(victim, 'exit')
  await eventually('all are completed', async () => (await count(`saga_instances WHERE status = 'COMPLETED'`)) === SAGAS, 60_000)
  expect(await count('effects')).toBe(SAGAS * STEPS.length)
  // The killed one did its part, and only what it had under way was run again.
  expect(await count('effects WHERE process = $1', [victim.pid])).toBeGreaterThan(0)
  const again = (await count('runs')) - SAGAS * STEPS.length
  expect([again >= 0, again <= CONCURRENCY]).toEqual([true, true])
  expect(await count('saga_tasks')).toBe(0)
  // No saga went a step twice.
  expect(await count(`events WHERE type = 'ActionSucceeded'`)).toBe(SAGAS * STEPS.length)
}, 90_000)
