// The log in PostgreSQL beside graphile-worker and pg-boss, in alternating rounds on one PostgreSQL with fsync on.
// `npm ci --prefix test/load/messaging/baselines` once, then `npm run load -- messaging/beside --help`.
// With --kafka also beside a kafkajs consumer of the same work, on a broker of its own (Java 17, Maven), whose processor time is not counted.
// Messages have 256 bytes of data. Ours keeps the order of each of 1,000 keys and moves its offset in the transaction of the effect; theirs need not.
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { createPool } from '#postgres'
import { conditionsOf } from '../event-store/measure.mjs'
import { startPostgres } from '../event-store/postgres.mjs'
import { cpuTime } from '../orders/cpu-time.mjs'
import { baselines } from '../baselines.mjs'
import { openKafkajs } from './kafkajs.mjs'
import { openOurs } from './ours.mjs'
import { expecting, median, steady, TEXT } from './steady.mjs'

const { values: options } = parseArgs({
  options: {
    backlog: { type: 'string', default: '60000' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    kafka: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(`Usage: npm run load -- messaging/beside [options]
  --backlog <n>   messages that are produced and then consumed, a round (60000)
  --rate <n>      messages a second in the latency run, each sent alone (500)
  --seconds <n>   how long that runs, a round (10)
  --rounds <n>    how often each side is measured, in turn (3)
  --only <side>   one of ours, embedded, graphile-worker, pg-boss, kafkajs alone, for a profile
  --kafka         also a kafkajs consumer that does the same: effect and offset in one transaction
  --json          print one JSON object`)
  process.exit(0)
}
const [backlog, rate, seconds, rounds] = [options.backlog, options.rate, options.seconds, options.rounds].map(Number)
const PAGE = 500
const EFFECT = 'CREATE TABLE IF NOT EXISTS effect (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL)'

const [{ openGraphileWorker }, { openPgBoss }] = await baselines('messaging', 'graphile-worker', 'pg-boss')
const OPENERS = {
  ours: (url) => openOurs(url, { shared: false }),
  embedded: (url) => openOurs(url, { shared: true }),
  'graphile-worker': openGraphileWorker,
  'pg-boss': openPgBoss,
  ...((options.kafka || options.only === 'kafkajs') && { kafkajs: openKafkajs }),
}
const BASELINES = ['graphile-worker', 'pg-boss']

const effect = (client, payloads) =>
  client.query({
    name: 'bench-effect',
    text: 'INSERT INTO public.effect (text) SELECT * FROM unnest($1::text[])',
    values: [payloads.map(({ text }) => text)],
  })

/** Produces a backlog and then consumes it. The clock of the consumer begins with its first batch: joining is not what is measured. */
const drain = async (side, withEffect) => {
  const produced = performance.now()
  for (let sent = 0; sent < backlog; sent += PAGE)
    await side.fill(Array.from({ length: Math.min(PAGE, backlog - sent) }, () => ({ text: TEXT })))
  const produced_s = (performance.now() - produced) / 1_000
  const { saw, done } = expecting(backlog)
  let began
  let before = 0
  let cpu
  const onHandled = (payloads) => {
    if (began === undefined) [began, before, cpu] = [performance.now(), payloads.length, cpuTime(process.pid, server.dataFolder)]
    saw(payloads.length)
  }
  const close = await side.consume(onHandled, { backlog: true, ...(withEffect && { effect }) })
  const ended = await done
  const used = await cpuTime(process.pid, server.dataFolder)
  const from = await cpu
  await close()
  const each_us = (name) => (used ? ((used[name] - from[name]) * 1_000) / backlog : NaN)
  return {
    produced: backlog / produced_s,
    consumed: (backlog - before) / ((ended - began) / 1_000),
    node_us: each_us('platform_ms'),
    postgres_us: each_us('postgres_ms'),
    per_cpu_second: 1e6 / (each_us('platform_ms') + each_us('postgres_ms')),
  }
}

/** The middle one of each figure. */
const medians = (measured) => Object.fromEntries(Object.keys(measured[0]).map((name) => [name, median(measured.map((each) => each[name]))]))

const server = await startPostgres()
try {
  const admin = createPool({ url: server.url, schema: 'public', applicationName: 'bench', maxConnections: 1 })
  const sides = {}
  for (const [name, open] of Object.entries(OPENERS)) {
    if (options.only && options.only !== name) continue
    const database = name.replace('-', '_')
    await admin.query(`CREATE DATABASE ${database}`)
    const url = server.url.replace(/\/postgres$/, `/${database}`)
    const pool = createPool({ url, schema: 'public', applicationName: 'bench', maxConnections: 1 })
    await pool.query(EFFECT)
    sides[name] = { ...(await open(url)), vacuum: () => pool.query('VACUUM ANALYZE'), end: () => pool.end() }
  }
  const runs = {
    'empty handler': (side) => drain(side, false),
    'a row for each': (side) => drain(side, true),
    [`${rate}/s, each alone`]: (side) => steady(side, { rate, seconds }),
  }
  const results = {}
  for (const [title, measure] of Object.entries(runs)) {
    const measured = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
    for (let round = 0; round < rounds; round++)
      for (const [name, side] of Object.entries(sides)) {
        // What the round before left behind is cleared away: queues suffer from their dead rows, and autovacuum comes when it likes.
        await side.vacuum()
        await admin.query('CHECKPOINT')
        measured[name].push(await measure(side))
      }
    results[title] = Object.fromEntries(Object.entries(measured).map(([name, all]) => [name, medians(all)]))
  }
  for (const side of Object.values(sides)) {
    await side.close()
    await side.end()
  }
  await admin.end()
  const conditions = { ...(await conditionsOf(server.url)), backlog, rate, seconds, rounds }
  if (options.json) console.log(JSON.stringify({ conditions, results }))
  else print(conditions, results)
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  process.on('uncaughtException', () => undefined)
  await server.stop()
}
// Pools of a baseline that failed would keep the process alive.
process.exit()

function print(conditions, results) {
  console.log(
    Object.entries(conditions)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  )
  const rates = new Table({
    head: ['case', 'side', 'produced/s', 'consumed/s', 'CPU us each: node, PostgreSQL', 'to the better baseline', 'the same by CPU'],
    style: { head: [] },
  })
  const latencies = new Table({
    head: ['case', 'side', 'p50 ms', 'p99 ms', 'slowest ms', 'p99 to the better baseline'],
    style: { head: [] },
  })
  for (const [title, sides] of Object.entries(results)) {
    const against = (name, figure, best) => {
      const others = BASELINES.filter((each) => sides[each]).map((each) => sides[each][figure])
      return BASELINES.includes(name) || others.length === 0 ? '' : (sides[name][figure] / best(...others)).toFixed(2)
    }
    for (const [name, side] of Object.entries(sides)) {
      if (side.consumed)
        rates.push([
          title,
          name,
          Math.round(side.produced),
          Math.round(side.consumed),
          `${side.node_us.toFixed(0)}, ${side.postgres_us.toFixed(0)}`,
          against(name, 'consumed', Math.max),
          against(name, 'per_cpu_second', Math.max),
        ])
      else
        latencies.push([
          title,
          name,
          side.p50_ms.toFixed(1),
          side.p99_ms.toFixed(1),
          side.max_ms.toFixed(1),
          against(name, 'p99_ms', Math.min),
        ])
    }
  }
  console.log(`${rates}\n${latencies}`)
}
