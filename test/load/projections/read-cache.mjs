// One order or product read over HTTP, kept in Redis and from the database: what a read costs of the processors of app and PostgreSQL, and how long it takes.
//   npm run load -- projections/read-cache [--reads 4000] [--clients 8] [--rounds 3] [--help]
// One process of order-query, its requests injected (no sockets), a PostgreSQL and a Redis of its own. Baseline: the same app without Redis.
import 'reflect-metadata'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { startRedis } from '../../support/redis.mjs'
import { startPostgres } from '../event-store/postgres.mjs'
import { cpuTime } from '../orders/cpu-time.mjs'

const { values: options } = parseArgs({
  options: {
    reads: { type: 'string', default: '4000' },
    clients: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean' },
  },
})
if (options.help) {
  console.log('npm run load -- projections/read-cache [--reads 4000] [--clients 8] [--rounds 3]')
  process.exit(0)
}
const count = (name, most) => Math.min(Math.max(Math.trunc(Number(options[name])) || 1, 1), most)
const [reads, clients, rounds] = [count('reads', 1_000_000), count('clients', 256), count('rounds', 50)]
/** An order's last change is that old before it is kept (`CHANGED_MS`). */
const SETTLED_MS = 2_500

const postgres = await startPostgres()
const redis = await startRedis()
process.env.BAHI_TEST_POSTGRES_URL = postgres.url
const { openWorld } = await import('../../../dist/apps/order-query/testing/world.js')
const { messages, orderId } = await import('../../../dist/apps/order-query/testing/messages.js')
const ADDRESS = { name: 'Asha Rao', line1: '14 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' }
const READS = {
  order: (world) => world.get(`/v1/orders/${orderId(1)}`, { as: ['c-1', 'customer'] }),
  product: (world) => world.get('/v1/products/LOAD', {}),
}
const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

const open = async (env) => {
  const world = await openWorld({}, env)
  await world.app.init()
  await world.feed(
    messages.placed({ orderId: orderId(1), shippingAddress: world.sealed(JSON.stringify(ADDRESS)) }),
    messages.product({ sku: 'LOAD', version: 1 }),
  )
  return world
}

/** Milliseconds of the processors a read, and of its caller's time. */
const measure = async (world, read) => {
  const before = await cpuTime(process.pid, postgres.dataFolder)
  const times = []
  let left = reads
  const client = async () => {
    while (left-- > 0) {
      const from = performance.now()
      const { status } = await read(world)
      if (status !== 200) throw new Error(`a read was answered ${status}`)
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  const after = await cpuTime(process.pid, postgres.dataFolder)
  const spent = (of) => (after[of] - before[of]) / times.length
  return { app_ms: spent('platform_ms'), postgres_ms: spent('postgres_ms'), p50_ms: middle(times) }
}

const worlds = { redis: await open({ REDIS_URL: redis.url }), database: await open({}) }
try {
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS))
  for (const [kind, read] of Object.entries(READS)) {
    const seen = { redis: [], database: [] }
    // In turn, so that what else the machine does meets both alike; the first round warms up.
    for (let round = 0; round <= rounds; round++)
      for (const where of ['redis', 'database']) {
        const result = await measure(worlds[where], read)
        if (round > 0) seen[where].push(result)
      }
    const of = (where, what) => middle(seen[where].map((result) => result[what]))
    const cost = (where) => of(where, 'app_ms') + of(where, 'postgres_ms')
    for (const where of ['redis', 'database'])
      console.log(
        `${kind.padEnd(8)} ${where.padEnd(9)} ${of(where, 'app_ms').toFixed(2)} ms of the app's processor and ${of(where, 'postgres_ms').toFixed(2)} of PostgreSQL's a read; p50 ${of(where, 'p50_ms').toFixed(1)} ms`,
      )
    console.log(
      `${kind.padEnd(8)} from the database it costs ${(cost('database') / cost('redis')).toFixed(1)} times what it does from Redis`,
    )
  }
  console.log(
    `${rounds} rounds of ${reads} reads by ${clients} clients, the middle one; ${availableParallelism()} cores (${cpus()[0]?.model.trim()}), Node ${process.version}, load ${loadavg()[0].toFixed(1)}`,
  )
} finally {
  for (const world of Object.values(worlds)) await world.close()
  await redis.stop()
  await postgres.stop()
}
