// Wallet orders over HTTP against the whole platform in one process, on a PostgreSQL of its own with fsync on, and stock Fastify with one
// INSERT per request beside it on the same server. `npm run load -- orders/orders --help`.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command } from 'commander'
import pg from 'pg'
import { newHome, removeHome, startPlatform } from '../../support/platform.mjs'
import { cpuTime } from './cpu-time.mjs'
import { inParallel, makeShop, openClient, place, readBack, watch } from './shop.mjs'

const options = new Command('npm run load -- orders/orders')
  .description('POST /v1/orders accepted per second, and the time from accepted to CONFIRMED, of orders paid by wallet.')
  .option('--clients <count>', 'closed loop: callers that each wait for their answer', Number, 64)
  .option('--seconds <count>', 'closed loop: its length, and the length of the baseline', Number, 10)
  .option('--rate <count>', 'open loop: orders a second, at even distances, whatever the answers', Number, 100)
  .option('--open-seconds <count>', 'open loop: its length', Number, 20)
  .option('--customers <count>', 'customers, each with a wallet, taken in turn', Number, 200)
  .option('--products <count>', 'products, one an order, taken in turn', Number, 50)
  .option('--only <part>', 'closed, open or baseline')
  .option('--cpu-prof <folder>', "write the platform's CPU profile there when it ends")
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()

const WARM_UP_ORDERS = 1_000
const WATCH_ONE_OF = 20
const WATCH_EVERY_MS = 25
const END_TIMEOUT_MS = 120_000

const quantiles = (values) => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN
  return { count: sorted.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) }
}

const say = (line) => options.json || process.stderr.write(`${line}\n`)
const wanted = (part) => options.only === undefined || options.only === part
const accepted = (placed) => placed.filter(({ orderId }) => orderId)

const home = await newHome()
let platform
try {
  say('starting the platform')
  const profile = options.cpuProf ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${options.cpuProf}` } : {}
  platform = await startPlatform({ home, env: { RATE_LIMIT_PER_SECOND: '100000', RATE_LIMIT_BURST: '100000', ...profile } })
  const result = await measure()
  if (options.json) console.log(JSON.stringify(result))
  else print(result)
} finally {
  await platform?.stop()
  await removeHome(home)
}

async function measure() {
  const client = openClient(platform.baseUrl, options.clients)
  const watcher = openClient(platform.baseUrl, 32)
  const database = await postgresOf(home)
  say('making the shop, warming up')
  const shop = await makeShop(client, options.customers, options.products)
  const warmUp = await inParallel(WARM_UP_ORDERS, 16, (index) => place(client, shop, index))
  await readBack(watcher, accepted(warmUp), END_TIMEOUT_MS)
  const conditions = { ...(await database.conditions()), loadBefore: load() }
  const result = { conditions }
  if (wanted('open')) result.open = await withLoad((onEnd) => openLoop(client, watcher, shop, onEnd))
  if (wanted('closed')) result.closed = await withLoad((onEnd) => closedLoop(client, watcher, shop, onEnd))
  await client.close()
  if (wanted('baseline')) result.baseline = await withLoad((onEnd) => baseline(database.url, shop, onEnd))
  await watcher.close()
  if (result.closed && result.baseline) result.ratio = result.closed.perSecond / result.baseline.perSecond
  return result
}

/** Beside the times: how busy the machine was, and what an order cost from its request to its end, without the reading back. */
async function withLoad(work) {
  const before = await cpuTime(platform.pid, join(home, 'postgres/data'))
  let after
  const result = await work(async () => (after = await cpuTime(platform.pid, join(home, 'postgres/data'))))
  const perOrder = (name) => (after[name] - before[name]) / result.accepted.count
  const cpuPerOrder = before && { platform_ms: perOrder('platform_ms'), postgres_ms: perOrder('postgres_ms') }
  const stolen = before && { stolenShare: (after.steal_ms - before.steal_ms) / (after.all_ms - before.all_ms) }
  return { ...result, ...(cpuPerOrder && { cpuPerOrder }), ...stolen, loadAfter: load() }
}

/** Orders come at their times, whether or not those before them are answered. */
async function openLoop(client, watcher, shop, onEnd) {
  say(`open loop: ${options.rate} orders/s for ${options.openSeconds} s`)
  const total = options.rate * options.openSeconds
  const started = performance.now()
  const placing = []
  const watching = []
  while (placing.length < total) {
    const dueCount = Math.min(total, Math.floor(((performance.now() - started) / 1_000) * options.rate) + 1)
    while (placing.length < dueCount) {
      const index = placing.length
      const order = place(client, shop, index, started + (index * 1_000) / options.rate)
      placing.push(order)
      if (index % WATCH_ONE_OF === 0)
        watching.push(order.then((placed) => (placed.orderId ? watch(watcher, placed, WATCH_EVERY_MS, END_TIMEOUT_MS) : undefined)))
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const placed = await Promise.all(placing)
  const watched = (await Promise.all(watching)).filter((seen) => seen?.order.status === 'CONFIRMED')
  return { ...(await outcome(watcher, placed, onEnd)), confirmedSeen: quantiles(watched.map(({ seen_ms }) => seen_ms)) }
}

async function closedLoop(client, watcher, shop, onEnd) {
  say(`closed loop: ${options.clients} clients for ${options.seconds} s`)
  const { placed, perSecond } = await loop((index) => place(client, shop, index))
  const lastAccepted = Date.now()
  const { confirmedAt, ...ends } = await outcome(watcher, placed, onEnd)
  return {
    perSecond,
    ...ends,
    confirmedPerSecond: ends.confirmed.count / (options.seconds + Math.max(0, confirmedAt - lastAccepted) / 1_000),
  }
}

async function loop(send) {
  const placed = []
  const started = performance.now()
  const until = started + options.seconds * 1_000
  let next = 0
  const caller = async () => {
    while (performance.now() < until) placed.push(await send(next++))
  }
  await Promise.all(Array.from({ length: options.clients }, caller))
  return { placed, perSecond: accepted(placed).length / ((performance.now() - started) / 1_000) }
}

async function baseline(url, shop, onEnd) {
  say(`baseline: ${options.clients} clients for ${options.seconds} s`)
  const child = spawn(process.execPath, [fileURLToPath(new URL('baseline.mjs', import.meta.url)), url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const baseUrl = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve)
      child.once('exit', () => reject(new Error('the baseline did not start')))
    })
    const client = openClient(baseUrl, options.clients)
    await inParallel(WARM_UP_ORDERS, 16, (index) => place(client, shop, index))
    const { placed, perSecond } = await loop((index) => place(client, shop, index))
    await onEnd()
    await client.close()
    return { perSecond, accepted: quantiles(accepted(placed).map(({ took_ms }) => took_ms)) }
  } finally {
    child.kill('SIGTERM')
  }
}

/** What became of the orders: the times to acceptance, and from there to CONFIRMED by the server's clock. */
async function outcome(watcher, placed, onEnd) {
  const last = accepted(placed).at(-1)
  if (last) await watch(watcher, last, 100, END_TIMEOUT_MS)
  await onEnd()
  const ends = await readBack(watcher, accepted(placed), END_TIMEOUT_MS)
  const confirmed = ends.filter(({ status }) => status === 'CONFIRMED')
  const others = {}
  for (const { status } of ends) if (status !== 'CONFIRMED') others[status] = (others[status] ?? 0) + 1
  for (const { refused } of placed) if (refused) others[refused] = (others[refused] ?? 0) + 1
  return {
    accepted: quantiles(accepted(placed).map(({ took_ms }) => took_ms)),
    confirmed: quantiles(confirmed.map(({ confirmed_ms }) => confirmed_ms)),
    confirmedAt: confirmed.reduce((latest, end) => Math.max(latest, end.confirmedAt), 0),
    ...(Object.keys(others).length > 0 && { others }),
  }
}

/** The server that the platform started, for the baseline: another database on the same disk. */
async function postgresOf(folder) {
  const read = async (name) => (await readFile(join(folder, 'postgres', name), 'utf8')).trim()
  const url = `postgres://postgres:${await read('password')}@127.0.0.1:${await read('port')}/postgres`
  const conditions = async () => {
    const db = new pg.Client({ connectionString: url })
    await db.connect()
    const setting = async (name) => (await db.query(`SHOW ${name}`)).rows[0][name]
    const found = { postgres: await setting('server_version'), fsync: await setting('fsync') }
    const synchronous_commit = await setting('synchronous_commit')
    await db.end()
    const { clients, customers, products } = options
    return {
      cpus: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
      node: process.version,
      ...found,
      synchronous_commit,
      clients,
      customers,
      products,
    }
  }
  return { url, conditions }
}

function load() {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(' ')
}

function print({ conditions, open, closed, baseline: base, ratio }) {
  console.log(
    Object.entries(conditions)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  )
  const table = new Table({ head: ['', 'orders', '/s', 'p50 ms', 'p99 ms', 'max ms'], style: { head: [] } })
  const row = (name, { count, p50_ms, p99_ms, max_ms }, perSecond) =>
    table.push([name, count, perSecond === undefined ? '' : Math.round(perSecond), p50_ms.toFixed(1), p99_ms.toFixed(1), max_ms.toFixed(0)])
  if (open) {
    row(`open loop, ${options.rate}/s: accepted`, open.accepted, options.rate)
    row('  accepted to CONFIRMED, server', open.confirmed)
    row('  accepted to CONFIRMED, seen by a reader', open.confirmedSeen)
  }
  if (closed) {
    row(`closed loop, ${options.clients} clients: accepted`, closed.accepted, closed.perSecond)
    row('  accepted to CONFIRMED, server', closed.confirmed, closed.confirmedPerSecond)
  }
  if (base) row('stock Fastify, one INSERT: accepted', base.accepted, base.perSecond)
  console.log(table.toString())
  for (const [name, part] of Object.entries({ open, closed, baseline: base })) {
    if (!part) continue
    const { others, loadAfter, cpuPerOrder: cpu, stolenShare } = part
    const cost = cpu ? `, CPU an order: platform ${cpu.platform_ms.toFixed(1)} ms, PostgreSQL ${cpu.postgres_ms.toFixed(1)} ms` : ''
    const stolen = stolenShare === undefined ? '' : `, taken by the machine's host ${(100 * stolenShare).toFixed(0)}%`
    console.log(`${name}: load average after ${loadAfter}${stolen}${cost}${others ? `, ended otherwise ${JSON.stringify(others)}` : ''}`)
  }
  if (ratio) console.log(`accepted per second, closed loop, to stock Fastify with one INSERT: ${ratio.toFixed(2)}`)
}
