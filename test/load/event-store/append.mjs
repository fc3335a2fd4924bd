// Appends with expected version: the event store's `execute` beside hand-written SQL that writes the same rows, in one run, on a PostgreSQL
// of its own with fsync on. `npm run load -- event-store/append --help`.
import { randomUUID } from 'node:crypto'
import Table from 'cli-table3'
import { Command } from 'commander'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { createPool, migrate } from '#postgres'
import { handWritten } from './hand-written.mjs'
import { conditionsOf, inTurns, load, rowsOf, say } from './measure.mjs'
import { startPostgres } from './postgres.mjs'
import { publishAll, relayed } from './relayed.mjs'

const options = new Command('npm run load -- event-store/append')
  .description('Appends per second: ours, and hand-written SQL for the same rows (event, stream, idempotency answer), one round trip each.')
  .option('--clients <list>', 'concurrent callers, each waiting for its answer before the next command', '1,16,64')
  .option('--streams <count>', 'streams in all; each client keeps to its own, so that the baseline never conflicts', '1000')
  .option('--seconds <count>', 'length of one measurement', '3')
  .option('--rounds <count>', 'measurements of each, one side after the other; the median counts', '3')
  .option('--payload <bytes>', 'size of an event', '256')
  .option('--connections <count>', 'connections of the baseline (ours uses one for batches)', '16')
  .option('--url <url>', 'a PostgreSQL to use instead of one of its own: conditions are then its own')
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()

const clientCounts = options.clients.split(',').map(Number)
const [streams, seconds, rounds, payload] = [options.streams, options.seconds, options.rounds, options.payload].map(Number)

const type = {
  category: 'bench',
  initialState: { count: 0 },
  evolve: (state) => ({ count: state.count + 1 }),
  snapshotEvery: 0,
}
const data = { text: 'x'.repeat(Math.max(0, payload - 11)) }
const answer = JSON.stringify({ status: 201, headers: { etag: '"1"' }, body: JSON.stringify({ id: randomUUID(), balance: '149900' }) })
const metadata = { actor: randomUUID(), correlationId: randomUUID(), causationId: randomUUID() }
const FINGERPRINT = 'a'.repeat(64)
const TOPIC = 'bench.events'

const server = options.url ? { url: options.url, stop: async () => undefined } : await startPostgres()
try {
  const results = []
  let rows
  for (const clients of clientCounts) {
    // A schema of its own for each run, so that neither works on what the other left.
    const apart = async (side, relay = false) => {
      const schema = `bench_${side.name}_${clients}`
      await migrate({ url: server.url, schema, migrations: eventStoreMigrations })
      const postgres = { url: server.url, schema, applicationName: 'bench', maxConnections: Number(options.connections) }
      const pool = createPool(postgres)
      const result = await side(pool, postgres, clients, relay)
      rows ??= await rowsOf(server.url, [`${schema}.events`, `${schema}.commands`, `${schema}.streams`])
      await pool.query(`DROP SCHEMA ${schema} CASCADE`)
      await pool.query('CHECKPOINT')
      await pool.end()
      return result
    }
    const sides = { ours: () => apart(ours), relayed: () => apart(ours, true), baseline: () => apart(theirs) }
    const measured = await inTurns(rounds, sides)
    results.push({ clients, ...measured, ratio: measured.ours.perSecond / measured.baseline.perSecond })
  }
  const conditions = {
    ...(await conditionsOf(server.url)),
    streams,
    payload_bytes: payload,
    connections: Number(options.connections),
    seconds,
    rounds,
  }
  if (options.json) console.log(JSON.stringify({ conditions, rows, results }))
  else print(conditions, rows, results)
} finally {
  await server.stop()
}

async function ours(pool, postgres, clients, relay) {
  const publish = relay ? publishAll(TOPIC) : () => []
  const store = await openEventStore({ pool, postgres, types: [type], publish, clock: systemClock, app: 'bench' })
  const publishing = relay && (await relayed({ url: postgres.url, topic: TOPIC, store, pool }))
  const append = (stream, id) => {
    const ref = { type, id: stream }
    return store.execute({
      id,
      fingerprint: FINGERPRINT,
      streams: [ref],
      metadata,
      decide: () => ({ appends: [{ stream: ref, events: [{ type: 'Happened', data }] }], answer }),
    })
  }
  const result = await load({ clients, streams, seconds }, append)
  if (publishing) {
    await publishing.drained()
    await publishing.stop()
  }
  await store.close()
  return result
}

async function theirs(pool, _, clients) {
  const append = await handWritten(pool, { data, metadata, answer, fingerprint: FINGERPRINT })
  return load({ clients, streams, seconds }, append)
}

function print(conditions, rows, results) {
  say(conditions)
  say(rows)
  const table = new Table({
    head: ['clients', 'side', '/s', 'p50 ms', 'p99 ms', 'max ms', 'ours to it'],
    style: { head: [] },
  })
  const cells = ({ perSecond, p50_ms, p99_ms, max_ms }) => [Math.round(perSecond), p50_ms.toFixed(2), p99_ms.toFixed(2), max_ms.toFixed(1)]
  for (const { clients, ours: mine, relayed: published, baseline } of results)
    for (const [side, measured] of Object.entries({ ours: mine, 'ours, relay on': published, 'hand-written SQL': baseline }))
      table.push([clients, side, ...cells(measured), (mine.perSecond / measured.perSecond).toFixed(2)])
  console.log(table.toString())
}
