// The two statements of timers among very many that wait: claim what is due, and when the next is due. Prints their plans with what they read.
// `npm run load -- saga/timers --pending 1000000`.
import { Command } from 'commander'
import { eventStoreMigrations } from '#event-store'
import { createPool, migrate } from '#postgres'
import { sagaMigrations } from '#saga'
import { CLAIM, DUE_IN } from '../../../dist/libs/saga/postgres/store.js'
import { conditionsOf } from '../event-store/measure.mjs'
import { startPostgres } from '../event-store/postgres.mjs'

const options = new Command('npm run load -- saga/timers')
  .description('The plans of the timers’ two statements, where so many timers are pending and fifty are due.')
  .option('--pending <count>', 'timers that are not due', '1000000')
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()
const DUE = 50

const server = await startPostgres()
try {
  await migrate({ url: server.url, schema: 'timers', migrations: [...eventStoreMigrations, ...sagaMigrations] })
  const pool = createPool({ url: server.url, schema: 'timers', applicationName: 'bench', maxConnections: 1, statementTimeout_ms: 600_000 })
  await pool.query(
    `INSERT INTO saga_tasks (saga_id, name, due_at, correlation_id)
     SELECT gen_random_uuid(), 'timer', CASE WHEN n <= $2 THEN now() ELSE now() + interval '1 day' + n * interval '1 second' END, 'c'
     FROM generate_series(1, $1::int + $2::int) n`,
    [Number(options.pending), DUE],
  )
  await pool.query('ANALYZE saga_tasks')
  const explain = async (text, values = []) =>
    (await pool.query(`EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) ${text}`, values)).rows.map(Object.values)
  // The first claim of a run reads pages that nobody has read: what counts is one among others.
  await pool.query('BEGIN')
  await pool.query(CLAIM, [DUE, 10_000, null])
  await pool.query('ROLLBACK')
  const plans = { 'when the next is due': await explain(DUE_IN), 'claim what is due': await explain(CLAIM, [100, 10_000, null]) }
  const conditions = { ...(await conditionsOf(server.url)), pending: Number(options.pending), due: DUE }
  if (options.json) console.log(JSON.stringify({ conditions, plans }))
  else {
    console.log(
      Object.entries(conditions)
        .map(([name, value]) => `${name} ${value}`)
        .join(' · '),
    )
    for (const [name, lines] of Object.entries(plans)) console.log(`\n${name}\n  ${lines.join('\n  ')}`)
  }
  await pool.end()
} finally {
  process.on('uncaughtException', () => undefined)
  await server.stop()
}
