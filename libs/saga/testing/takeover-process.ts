// A process that runs sagas until it is killed: `DATABASE_URL=... node --conditions=source --import test/simulation/typescript.mjs <this>`.
// It prints `up` when it works.
import { openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool, pgTransactions } from '#postgres'
import { SagaDefinitions, SagaEngine, sagaStream, SagaWorker } from '../index.js'
import { pgSagaStore } from '../postgres/store.js'
import { patience, RUN_MS, work } from './takeover-saga.js'

const postgres = { url: process.env['DATABASE_URL'] ?? '', schema: 'app', applicationName: 'takeover', maxConnections: 6 }
const pool = createPool(postgres)
const report = (error: unknown): void => void process.stderr.write(`${String(error)}\n`)
const commands = await openEventStore({
  pool,
  postgres,
  types: [sagaStream],
  publish: () => [],
  clock: systemClock,
  app: 'takeover',
  onBackgroundError: report,
})
const store = pgSagaStore(pool, postgres)
const engine = new SagaEngine({ commands, store, definitions: new SagaDefinitions([work, patience]), clock: systemClock, app: 'takeover' })
const worker = new SagaWorker(
  {
    engine,
    store,
    transactions: pgTransactions(pool),
    clock: systemClock,
    activities: {
      // The effect is outside of the saga and once per key, as a provider's is; who ran is written down each time.
      work: async ({ key }) => {
        await pool.query('INSERT INTO runs (key, process) VALUES ($1, $2)', [key, process.pid])
        await systemClock.sleep(RUN_MS)
        await pool.query('INSERT INTO effects (key, process) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key, process.pid])
        return { outcome: 'succeeded', result: {} }
      },
    },
    onError: report,
  },
  // The lease is longer than the test may take: only taking over from the dead brings their tasks back in time. The beat is the one of production.
  { concurrency: 16, batch: 16, timeout_ms: 100_000, lease_ms: 600_000 },
)
await worker.start()
process.stdout.write('up\n')
