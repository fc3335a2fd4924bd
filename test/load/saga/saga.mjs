// Ours beside DBOS, in one run on one PostgreSQL with fsync on: sagas of three steps that do nothing, started and awaited by so many clients.
// `npm ci --prefix test/load/saga/baselines` once, then `node test/load/saga/saga.mjs --help`. Needs a build (`npm run build`).
import { performance } from 'node:perf_hooks'
import Table from 'cli-table3'
import { Command } from 'commander'
import { createPool } from '#postgres'
import { conditionsOf } from '../event-store/measure.mjs'
import { cpuTime } from '../orders/cpu-time.mjs'
import { startPostgres } from '../event-store/postgres.mjs'
import { openDbos } from './baselines/dbos.mjs'
import { openOurs } from './ours.mjs'
import { openOverLog } from './over-log.mjs'

const options = new Command()
  .description(
    'A saga of three steps, in process and over the PostgreSQL log, beside a DBOS workflow of three steps; the ratio is ours to theirs.',
  )
  .option('--seconds <count>', 'length of one measurement', '5')
  .option('--rounds <count>', 'how often each side is measured, in turn', '3')
  .option('--clients <list>', 'callers at once, by comma', '1,50')
  .option('--connections <count>', "of DBOS's pool", '20')
  .option('--waiting <count>', 'instances that wait on timers in the last measurement', '100000')
  .option('--only <side>', 'ours or dbos alone, for a profile')
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()
const [seconds, rounds, connections, waiting] = [options.seconds, options.rounds, options.connections, options.waiting].map(Number)
const clients = options.clients.split(',').map(Number)

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
  latencies.sort((a, b) => a - b)
  const at = (share) => latencies[Math.floor((latencies.length - 1) * share)]
  const used = cpu && (await cpuTime(process.pid, server.dataFolder))
  const each_ms = (name) => (used ? (used[name] - cpu[name]) / latencies.length : NaN)
  const measured = { perSecond: latencies.length / elapsed_s, p50_ms: at(0.5), p99_ms: at(0.99) }
  return { ...measured, node_ms: each_ms('platform_ms'), postgres_ms: each_ms('postgres_ms') }
}

/** The middle one by rate. */
const median = (measured) => measured.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor((measured.length - 1) / 2)]

const server = await startPostgres()
try {
  const databases = Object.fromEntries(['ours', 'log', 'dbos'].map((name) => [name, server.url.replace(/\/postgres$/, `/${name}`)]))
  const admin = createPool({ url: server.url, schema: 'public', applicationName: 'bench', maxConnections: 1 })
  for (const name of Object.keys(databases)) await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const ours = options.only === 'dbos' ? undefined : await openOurs(databases.ours, 'ours')
  const dbos = options.only === 'ours' ? undefined : await openDbos(databases.dbos, connections)
  const overLog = options.only === 'dbos' ? undefined : await openOverLog(databases.log)
  const sides = Object.entries({ ours, 'ours over the log': overLog, DBOS: dbos }).filter(([, side]) => side)
  for (const [, side] of sides) await Promise.all(Array.from({ length: 50 }, () => side.run()))
  const results = []
  for (const count of clients) {
    const measured = Object.fromEntries(sides.map(([name]) => [name, []]))
    for (let round = 0; round < rounds; round++) for (const [name, side] of sides) measured[name].push(await load(count, side.run))
    results.push({
      name: `3 steps, ${count} clients`,
      ...Object.fromEntries(Object.entries(measured).map(([name, all]) => [name, median(all)])),
    })
  }
  let idle
  if (ours && waiting > 0) {
    global.gc?.()
    const before_mb = process.memoryUsage().rss / 2 ** 20
    for (let left = waiting; left > 0; left -= 1_000)
      await Promise.all(Array.from({ length: Math.min(left, 1_000) }, () => ours.startWaiting()))
    const { rows } = await ours.pool.query('SELECT count(*)::int AS count FROM saga_tasks')
    const beside = []
    for (let round = 0; round < rounds; round++) beside.push(await load(Math.max(...clients), ours.run))
    idle = { waiting: rows[0].count, grown_mb: process.memoryUsage().rss / 2 ** 20 - before_mb, beside: median(beside) }
  }
  const conditions = { ...(await conditionsOf(server.url)), seconds, rounds, 'DBOS connections': connections }
  if (options.json) console.log(JSON.stringify({ conditions, results, idle }))
  else print(conditions, results, idle)
  await Promise.all([ours?.close(), overLog?.close(), dbos?.close()])
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  process.on('uncaughtException', () => undefined)
  await server.stop()
}
// Pools of a baseline that failed would keep the process alive.
process.exit()

function print(conditions, results, idle) {
  console.log(
    Object.entries(conditions)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  )
  const table = new Table({
    head: ['case', 'side', '/s', 'p50 ms', 'p99 ms', 'CPU ms each: node, PostgreSQL', 'to DBOS'],
    style: { head: [] },
  })
  for (const { name, ...sides } of results) {
    for (const [side, measured] of Object.entries(sides)) {
      const ratio = side !== 'DBOS' && sides.DBOS ? (measured.perSecond / sides.DBOS.perSecond).toFixed(1) : ''
      table.push([name, side, ...cells(measured), ratio])
    }
  }
  if (idle) table.push([`beside ${idle.waiting} that wait`, 'ours', ...cells(idle.beside), ''])
  console.log(table.toString())
  if (idle)
    console.log(`${idle.waiting} instances wait on timers: the process grew by ${Math.round(idle.grown_mb)} MB while they were started`)
}

function cells({ perSecond, p50_ms, p99_ms, node_ms, postgres_ms }) {
  return [Math.round(perSecond), p50_ms.toFixed(2), p99_ms.toFixed(2), `${node_ms.toFixed(2)}, ${postgres_ms.toFixed(2)}`]
}
