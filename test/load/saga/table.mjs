// All that the sagas were to reach, in one run: sagas of three steps that do nothing beside DBOS's workflows, in alternating rounds on one
// PostgreSQL with fsync on; instances that wait on timers; and wallet orders against the whole platform.
// `npm ci --prefix test/load/saga/baselines` once, then `npm run load -- saga/table --help`.
import { execFile } from 'node:child_process'
import { loadavg } from 'node:os'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Table from 'cli-table3'
import { Command } from 'commander'
import { createPool } from '#postgres'
import { conditionsOf, quantiles } from '../event-store/measure.mjs'
import { startPostgres } from '../event-store/postgres.mjs'
import { cpuTime } from '../orders/cpu-time.mjs'
import { baselines } from '../baselines.mjs'
import { openOurs } from './ours.mjs'
import { openOverLog } from './over-log.mjs'

const options = new Command('npm run load -- saga/table')
  .description('Each row of what was to be reached, with what it came to: ratios are the medians of those of each round.')
  .option('--seconds <count>', 'length of one measurement', Number, 4)
  .option('--rounds <count>', 'how often all sides are measured, one after another', Number, 5)
  .option('--clients <count>', 'callers at once', Number, 50)
  .option('--connections <count>', "of DBOS's pool", Number, 20)
  .option('--partitions <count>', "of the log's topics; in PostgreSQL the platform's have one", Number, 1)
  .option('--waiting <count>', 'instances that wait on timers; 0 leaves them out', Number, 100_000)
  .option('--rate <count>', 'wallet orders a second; 0 leaves them out', Number, 200)
  .option('--order-seconds <count>', 'how long orders come', Number, 20)
  .option('--only <side>', 'inProcess, overLog or dbos alone, for a profile: its rates and no table')
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()
const { seconds, rounds, clients, connections, partitions, waiting, rate, orderSeconds, only } = options

const [{ openDbos }] = await baselines('saga', 'dbos')

const say = (line) => options.json || process.stderr.write(`${line}\n`)

const load = async (count, run) => {
  const latencies = []
  const cpu = await cpuTime(process.pid, server.dataFolder)
  const started = performance.now()
  const until = started + seconds * 1_000
  const client = async () => {
    for (;;) {
      const before = performance.now()
      if (before >= until) return
      await run()
      latencies.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: count }, client))
  const elapsed_s = (performance.now() - started) / 1_000
  const used = cpu && (await cpuTime(process.pid, server.dataFolder))
  const each_ms = (name) => (used ? (used[name] - cpu[name]) / latencies.length : NaN)
  return {
    perSecond: latencies.length / elapsed_s,
    ...quantiles(latencies),
    node_ms: each_ms('platform_ms'),
    postgres_ms: each_ms('postgres_ms'),
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]
const medians = (measured) => Object.fromEntries(Object.keys(measured[0]).map((name) => [name, median(measured.map((each) => each[name]))]))

/** All sides one after another, so many rounds: each with the medians of what it did, and of its ratio to another side of the same round. */
const inRounds = async (sides, count = clients) => {
  const measured = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const [name, side] of Object.entries(sides)) measured[name].push(await load(count, side.run))
  const ratio = (one, other, of) => median(measured[one].map((each, round) => each[of] / measured[other][round][of]))
  return { ...Object.fromEntries(Object.entries(measured).map(([name, all]) => [name, medians(all)])), ratio }
}

const server = await startPostgres()
const opened = []
const open = async (name, how) => {
  const admin = createPool({ url: server.url, schema: 'public', applicationName: 'bench', maxConnections: 1 })
  await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const side = await how(server.url.replace(/\/postgres$/, `/${name}`))
  opened.push(side)
  await Promise.all(Array.from({ length: clients }, () => side.run()))
  return side
}
const SIDES = {
  inProcess: (url) => openOurs(url, 'ours'),
  overLog: (url) => openOverLog(url, partitions),
  dbos: (url) => openDbos(url, connections),
}
try {
  const conditions = {
    ...(await conditionsOf(server.url)),
    seconds,
    rounds,
    clients,
    'DBOS connections': connections,
    partitions,
    'load before': loadavg()[0],
  }
  const result = { conditions, rows: [] }
  if (only) result.sides = { [only]: (await inRounds({ [only]: await open('one', SIDES[only]) }))[only] }
  else await measureAll(result)
  result.conditions['load after'] = loadavg()[0]
  if (options.json) console.log(JSON.stringify(result))
  else print(result)
  await Promise.all(opened.map((side) => side.close()))
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  process.on('uncaughtException', () => undefined)
  await server.stop()
}
// Pools of a baseline that failed would keep the process alive.
process.exit()

async function measureAll(result) {
  const { rows } = result
  const sides = {}
  for (const [name, how] of Object.entries(SIDES)) sides[name] = await open(name.toLowerCase(), how)
  say(`${clients} at once, beside DBOS`)
  const many = await inRounds(sides)
  say('one at a time, beside DBOS')
  const one = await inRounds({ inProcess: sides.inProcess, dbos: sides.dbos }, 1)
  result.sides = {
    inProcess: many.inProcess,
    overLog: many.overLog,
    dbos: many.dbos,
    'inProcess, 1 client': one.inProcess,
    'dbos, 1 client': one.dbos,
  }
  const beside = (what, name, of, unit, least, most) =>
    rows.push({
      what,
      ours: show(many[name][of], unit),
      theirs: show(many.dbos[of], unit),
      ratio: many.ratio(name, 'dbos', of),
      least,
      most,
    })
  beside(`in process: sagas a second, ${clients} at once`, 'inProcess', 'perSecond', '/s', 10)
  beside(`in process: p99, ${clients} at once`, 'inProcess', 'p99_ms', 'ms', undefined, 1 / 3)
  beside(`over the log: sagas a second, ${clients} at once`, 'overLog', 'perSecond', '/s', 2)
  if (waiting > 0) await measureWaiting(result, sides.inProcess)
  if (rate > 0) await measureOrders(result)
}

async function measureWaiting({ rows, sides }, without) {
  say(`starting ${waiting} that wait`)
  const among = await open('waiting', SIDES.inProcess)
  global.gc?.()
  const before_mb = process.memoryUsage().rss / 2 ** 20
  for (let left = waiting; left > 0; left -= 1_000)
    await Promise.all(Array.from({ length: Math.min(left, 1_000) }, () => among.startWaiting()))
  const { rows: found } = await among.pool.query('SELECT count(*)::int AS count FROM saga_tasks')
  if (found[0].count < waiting) throw new Error(`only ${found[0].count} wait`)
  const grown_mb = process.memoryUsage().rss / 2 ** 20 - before_mb
  // What starting them left to do is over before their company is measured.
  await among.pool.query('VACUUM ANALYZE')
  await among.pool.query('CHECKPOINT')
  say(`${clients} at once, among those that wait and where none does`)
  const both = await inRounds({ among, without })
  sides[`inProcess, among ${waiting} that wait`] = both.among
  rows.push({
    what: `memory grown while ${waiting} were started that wait on timers`,
    ours: show(grown_mb, 'MB'),
    value: grown_mb,
    most: 200,
  })
  rows.push({
    what: `p99 among them, to where none waits (“theirs” is ours without)`,
    ours: show(both.among.p99_ms, 'ms'),
    theirs: show(both.without.p99_ms, 'ms'),
    ratio: both.ratio('among', 'without', 'p99_ms'),
    most: 1.1,
  })
}

/** A platform and a PostgreSQL of their own; nothing else here is at work meanwhile. */
async function measureOrders(result) {
  await Promise.all(opened.splice(0).map((side) => side.close()))
  say(`${rate} wallet orders a second for ${orderSeconds} s`)
  const script = fileURLToPath(new URL('../orders/orders.mjs', import.meta.url))
  const args = [script, '--only', 'open', '--rate', String(rate), '--open-seconds', String(orderSeconds), '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 * 2 ** 20, timeout: 600_000 })
  const { open: measured } = JSON.parse(stdout.trim().split('\n').at(-1))
  const { confirmed, others, cpuPerOrder } = measured
  result.orders = { confirmed, others, cpuPerOrder }
  const all = confirmed.count === rate * orderSeconds
  result.rows.push({
    what: `wallet orders at ${rate}/s, embedded: p99 from accepted to CONFIRMED${all ? '' : ` (only ${confirmed.count} of ${rate * orderSeconds})`}`,
    ours: show(confirmed.p99_ms, 'ms'),
    value: all ? confirmed.p99_ms : Infinity,
    most: 300,
  })
}

function show(value, unit) {
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`
}

function print({ conditions, sides, rows }) {
  console.log(
    Object.entries(conditions)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  )
  if (rows.length > 0) {
    const table = new Table({ head: ['to be reached', 'ours', 'theirs', 'ratio', 'wanted', 'reached'], style: { head: [] } })
    for (const { what, ours, theirs = '', ratio, value = ratio, least, most } of rows) {
      const wanted = least === undefined ? `at most ${Number(most.toFixed(2))}` : `at least ${least}`
      const reached = least === undefined ? value <= most : value >= least
      table.push([what, ours, theirs, ratio === undefined ? '' : ratio.toFixed(2), wanted, reached ? 'yes' : 'no'])
    }
    console.log(table.toString())
  }
  const each = new Table({ head: ['side', '/s', 'p50 ms', 'p99 ms', 'CPU ms each: node, PostgreSQL'], style: { head: [] } })
  for (const [name, { perSecond, p50_ms, p99_ms, node_ms, postgres_ms }] of Object.entries(sides))
    each.push([name, Math.round(perSecond), p50_ms.toFixed(1), p99_ms.toFixed(1), `${node_ms.toFixed(2)}, ${postgres_ms.toFixed(2)}`])
  console.log(each.toString())
}
