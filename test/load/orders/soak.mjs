// npm run load -- orders/soak [--minutes 30]: the whole platform at half of the rate that it carries to the end, for as long; then what it holds, after a forced
// collection, beside what it held when it was warm: heap, memory, handles by kind, lag. Exits 1 where it grew.
import { availableParallelism, cpus, loadavg } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePort } from '../../support/kafka.mjs'
import { newHome, removeHome, startPlatform } from '../../support/platform.mjs'
import { inParallel, makeShop, openClient, place, readBack, TRIES } from './shop.mjs'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, rate: { type: 'string' }, help: { type: 'boolean' } },
})
if (values.help) {
  console.log('npm run load -- orders/soak [--minutes 30] [--rate <orders a second>; half of what it carries unless given]')
  process.exit(0)
}
const minutes = Math.min(Math.max(Number(values.minutes) || 30, 1), 24 * 60)
/** Memory is judged by a long run alone: a short one ends before caches are full. */
const JUDGED_MINUTES = 30
const MOST_GROWTH = 1.05
/** A few connections of each pool are taken or not when one looks: polls meet, or do not. What is left behind by each order is many more. */
const SLACK = 16
/** So few that each wallet has, when it is warm, as many ended holds in mind as it ever keeps. */
const CUSTOMERS = 150
const PRODUCTS = 50
const CLIENTS = 32
const PROBED = 1_500
/** A long one for twice as long as stores keep a state that nobody asks for: from then on as many go as come. */
const WARM_S = minutes < 5 ? 20 : 600
const SETTLE_MS = 120_000
/** Until pools have closed what they do not need: after 30 s. */
const REST_MS = 40_000

/** Asks the process by its inspector, on the loopback alone. */
const inspect = async (port) => {
  const [{ webSocketDebuggerUrl }] = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()
  const socket = new WebSocket(webSocketDebuggerUrl)
  const waiting = new Map()
  let last = 0
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(data)
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true })
    socket.addEventListener('error', reject, { once: true })
  })
  const ask = (method, params = {}) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve)
      socket.send(JSON.stringify({ id: last, method, params }))
    })
  const LOOK = `JSON.stringify({ memory: process.memoryUsage(), handles: process.getActiveResourcesInfo() })`
  return {
    async held() {
      for (let time = 0; time < 3; time++) await ask('HeapProfiler.collectGarbage')
      const { memory, handles } = JSON.parse((await ask('Runtime.evaluate', { expression: LOOK })).result.value)
      return {
        heap_mb: memory.heapUsed / 1e6,
        rss_mb: memory.rss / 1e6,
        handles: Object.fromEntries([...Map.groupBy(handles, (kind) => kind)].map(([kind, all]) => [kind, all.length])),
      }
    },
    close: () => socket.close(),
  }
}

/** Orders when they are due, whatever became of those before; says every minute how far it is. Answers those that were accepted. */
const drive = async (client, shop, rate, seconds) => {
  const began = performance.now()
  const count = Math.round(rate * seconds)
  const orders = []
  let refused = 0
  const under = new Set()
  for (let index = 0; index < count; index++) {
    if (index % Math.round(rate * 60) === 0 && index > 0)
      console.error(
        `${(index / rate / 60).toFixed(0)} of ${(seconds / 60).toFixed(0)} min: ${orders.length} orders accepted, ${under.size} under way`,
      )
    const due = began + (index * 1_000) / rate
    if (due > performance.now()) await wait(due - performance.now())
    const one = place(client, shop, index, due, TRIES)
      .then((order) => (order.refused === undefined ? orders.push(order) : refused++))
      .catch(() => refused++)
      .finally(() => under.delete(one))
    under.add(one)
  }
  await Promise.all(under)
  return { orders, refused }
}

const home = await newHome()
const port = await freePort()
const platform = await startPlatform({
  home,
  env: { NODE_OPTIONS: `--inspect=127.0.0.1:${port}`, RATE_LIMIT_PER_SECOND: '100000', RATE_LIMIT_BURST: '100000' },
})
const broken = []
try {
  const inspector = await inspect(port)
  let client = openClient(platform.baseUrl, CLIENTS)
  const shop = await makeShop(client, CUSTOMERS, PRODUCTS)
  const { accessToken: admin } = (await client.expect(200, 'POST', '/v1/dev/token', { body: { sub: 'soak', roles: ['admin'] } })).body
  /** With nobody connected, and nothing under way. */
  const rest = async () => {
    const until = performance.now() + SETTLE_MS
    for (;;) {
      const { items } = (await client.expect(200, 'GET', '/v1/ops/consumers', { token: admin })).body
      const lag = items.reduce((sum, group) => sum + group.lag + group.deferred, 0)
      if (lag === 0) break
      if (performance.now() > until) throw new Error(`${lag} messages are still not handled`)
      await wait(500)
    }
    await client.close()
    await wait(REST_MS)
    const held = await inspector.held()
    client = openClient(platform.baseUrl, CLIENTS)
    return held
  }

  let rate = Number(values.rate)
  if (!rate) {
    const began = performance.now()
    const probed = await inParallel(PROBED, CLIENTS, (index) => place(client, shop, index))
    await readBack(
      client,
      probed.filter(({ refused }) => refused === undefined),
      SETTLE_MS,
    )
    const carried = (PROBED * 1_000) / (performance.now() - began)
    rate = carried / 2
    console.log(`carries ${carried.toFixed(0)} orders/s from request to end; soaked at ${rate.toFixed(0)}/s for ${minutes} min`)
  }
  console.error(`warm in ${WARM_S} s, then ${minutes} min`)
  await drive(client, shop, rate, WARM_S)
  const warm = await rest()
  const { orders, refused } = await drive(client, shop, rate, minutes * 60)
  const ended = await readBack(client, orders.slice(-200), SETTLE_MS)
  const soaked = await rest()

  const confirmed = ended.filter(({ status }) => status === 'CONFIRMED').length
  console.log(`${orders.length} orders accepted, ${refused} not; of the last ${ended.length}, ${confirmed} confirmed; no lag`)
  if (refused > 0) broken.push(`${refused} orders were not accepted`)
  if (confirmed < ended.length) broken.push(`${ended.length - confirmed} orders did not end confirmed`)
  for (const [name, was, is] of [
    ['heap', warm.heap_mb, soaked.heap_mb],
    ['memory', warm.rss_mb, soaked.rss_mb],
  ]) {
    const growth = is / was
    console.log(
      `${name.padEnd(8)} ${was.toFixed(0)} MB warm, ${is.toFixed(0)} MB afterwards: ${growth.toFixed(3)}${minutes < JUDGED_MINUTES ? ' (judged from 30 minutes on)' : ''}`,
    )
    if (minutes >= JUDGED_MINUTES && growth > MOST_GROWTH) broken.push(`${name} grew to ${growth.toFixed(3)}`)
  }
  for (const kind of new Set([...Object.keys(warm.handles), ...Object.keys(soaked.handles)])) {
    const [was, is] = [warm.handles[kind] ?? 0, soaked.handles[kind] ?? 0]
    console.log(`${kind.padEnd(22)} ${was} warm, ${is} afterwards`)
    if (is > was + SLACK) broken.push(`${kind}: ${is}, and ${was} when it was warm`)
  }
  console.log(
    `${availableParallelism()} cores (${cpus()[0]?.model.trim()}) with load and PostgreSQL on them, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`,
  )
  await client.close()
  inspector.close()
} finally {
  await platform.stop()
  await removeHome(home)
}
for (const line of broken) console.error(`GREW: ${line}`)
process.exit(broken.length > 0 ? 1 : 0)
