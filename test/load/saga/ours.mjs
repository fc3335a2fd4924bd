// A saga of three steps that run in process and do nothing, by the engine and the worker that the apps run.
import { randomUUID } from 'node:crypto'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool, migrate, pgTransactions } from '#postgres'
import {
  activity,
  defineSaga,
  pgSagaStore,
  SagaDefinitions,
  SagaEngine,
  sagaIdFor,
  sagaMigrations,
  sagaStream,
  SagaWorker,
  waitFor,
} from '#saga'

const MOST_MS = 60_000
const NAMES = ['one', 'two', 'three']

const definitions = new SagaDefinitions([
  defineSaga({ type: 'bench', version: 1, steps: NAMES.map((name) => ({ name, does: activity('nothing', { input: () => ({}) }) })) }),
  defineSaga({ type: 'waiting', version: 1, steps: [{ name: 'wait', does: waitFor('never', { window_ms: 86_400_000 }) }] }),
])

export const openOurs = async (url, schema, worker = {}) => {
  await migrate({ url, schema, migrations: [...eventStoreMigrations, ...sagaMigrations] })
  const postgres = { url, schema, applicationName: 'bench', maxConnections: 8, statementTimeout_ms: 60_000 }
  const pool = createPool(postgres)
  const report = (error) => console.error(error)
  const clock = systemClock
  const commands = await openEventStore({
    pool,
    postgres,
    types: [sagaStream],
    publish: () => [],
    clock,
    app: 'bench',
    onBackgroundError: report,
  })
  const store = pgSagaStore(pool, postgres)
  const engine = new SagaEngine({ commands, store, definitions, clock, app: 'bench' })
  const transactions = pgTransactions(pool)
  const activities = { nothing: async () => ({ outcome: 'succeeded', result: {} }) }
  const runner = new SagaWorker({ engine, store, transactions, clock, activities, onError: report }, { concurrency: 512, ...worker })
  await runner.start()
  const start = (type) => {
    const correlationKey = randomUUID()
    const context = { correlationId: correlationKey, causationId: 'bench' }
    return { kind: 'start', id: correlationKey, sagaId: sagaIdFor(type, correlationKey), context, type, correlationKey, data: {} }
  }
  return {
    pool,
    runner,
    /** Until its end is durable. */
    run: async () => {
      const input = start('bench')
      const over = new AbortController()
      const late = setTimeout(() => over.abort(new Error('a saga did not end')), MOST_MS)
      const ended = runner.ended(input.sagaId, over.signal)
      await runner.submit(input)
      await ended
      clearTimeout(late)
    },
    startWaiting: () => runner.submit(start('waiting')),
    close: async () => {
      await runner.stop()
      await commands.close()
      await pool.end()
    },
  }
}
