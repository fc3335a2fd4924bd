// The read models of order-query: messages applied a second, exactly once (real tables, versions and the log's offset in one transaction), of
// six partitions at once, each batch after batch, as a consumer does.
//   npm run load -- projections/order-query [--messages 40000] [--batch 100] [--baseline 2000] [--json] [--help]
// Starts a PostgreSQL of its own with fsync on, unless BAHI_BENCH_POSTGRES_URL names one.
// Baseline: the hand-written upsert that most projections are, one message and its offset per transaction, of as many partitions at once.
import 'reflect-metadata'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { DataSource } from 'typeorm'
import { OrderConfirmed, OrderPlaced, StockChanged } from '#contracts'
import { pgConsumerStore } from '#messaging'
import { createPool, migrate } from '#postgres'
import { dataSourceOptions, projector, typeormRows, typeormTransactions } from '#projections'
import { migrations } from '../../../dist/apps/order-query/migrations.js'
import { orderQueryProjection } from '../../../dist/apps/order-query/projection.js'
import { ENTITIES } from '../../../dist/apps/order-query/read-models/tables.js'
import { startPostgres } from '../event-store/postgres.mjs'
import { cpuTime } from '../orders/cpu-time.mjs'

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '40000' },
    batch: { type: 'string', default: '100' },
    baseline: { type: 'string', default: '2000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(`Usage: npm run load -- projections/order-query [options]
  --messages <n>   messages of each case (40000)
  --batch <n>      messages a transaction (100)
  --baseline <n>   messages of the baseline (2000)
  --json           print one JSON object`)
  process.exit(0)
}
const count = (name) => {
  const value = Number(options[name])
  if (Number.isInteger(value) && value >= 1 && value <= 10_000_000) return value
  console.error(`--${name} must be a whole number from 1 to 10000000`)
  process.exit(2)
}
const [total, size, baselineTotal] = [count('messages'), count('batch'), count('baseline')]

const PARTITIONS = 6
let position = 0n
const message = (contract, key, partition, changes) => ({
  topic: contract.topic,
  partition,
  offset: position,
  key,
  id: `m-${position}`,
  type: contract.type,
  schemaVersion: contract.version,
  source: 'order-command',
  origin: { incarnation: '0190a000-0000-7000-8000-000000000001', position: ++position, ordinal: 0 },
  time: Date.now(),
  data: { ...contract.example, ...changes },
  context: { correlationId: key, causationId: key },
})

const stockMessages = (n) =>
  Array.from({ length: n }, (_, index) =>
    message(StockChanged, `SKU-${index % 1_000}`, (index % 1_000) % PARTITIONS, {
      sku: `SKU-${index % 1_000}`,
      version: Math.floor(index / 1_000) + 1,
    }),
  )

const orderMessages = (n) =>
  Array.from({ length: n }, (_, index) => {
    const orderId = `0190a000-0000-7000-8000-${Math.floor(index / 2)
      .toString(16)
      .padStart(12, '0')}`
    const partition = Math.floor(index / 2) % PARTITIONS
    return index % 2 === 0
      ? message(OrderPlaced, orderId, partition, { orderId })
      : message(OrderConfirmed, orderId, partition, { orderId, version: 2 })
  })

/** Messages a second, and microseconds of the processor that each took: of this process and of PostgreSQL, where its processes can be seen. */
const rate = async (n, work) => {
  const [began, from] = [performance.now(), await used()]
  await work()
  const [elapsed_ms, to] = [performance.now() - began, await used()]
  const each_us = (name) => (from && to ? Math.round(((to[name] - from[name]) * 1_000) / n) : undefined)
  return { per_s: Math.round((n * 1_000) / elapsed_ms), node_us: each_us('platform_ms'), postgres_us: each_us('postgres_ms') }
}
const used = async () => (server.dataFolder ? cpuTime(process.pid, server.dataFolder) : undefined)

const server = process.env.BAHI_BENCH_POSTGRES_URL
  ? { url: process.env.BAHI_BENCH_POSTGRES_URL, stop: async () => {} }
  : await startPostgres()
const name = `bench_projections_${process.pid}`
const admin = new pg.Client(server.url)
await admin.connect()
await admin.query(`CREATE DATABASE ${name}`)
const url = new URL(server.url)
url.pathname = `/${name}`
const config = { url: url.href, schema: 'order_query', applicationName: 'bench', maxConnections: PARTITIONS, statementTimeout_ms: 60_000 }
await migrate({ ...config, migrations })
const source = await new DataSource(dataSourceOptions(config, ENTITIES)).initialize()
const pool = createPool(config)

try {
  const transactions = typeormTransactions(source)
  const project = projector(orderQueryProjection, typeormRows(source))
  const offsets = pgConsumerStore(pool)

  const ours = async (topic, messages) => {
    const partitions = [...Map.groupBy(messages, ({ partition }) => partition)]
    return rate(messages.length, () => Promise.all(partitions.map(([partition, each]) => follow({ topic, partition }, each))))
  }
  const follow = async (place, messages) => {
    let { next } = await offsets.progress('bench', place, 0n)
    for (let from = 0; from < messages.length; from += size) {
      const batch = messages.slice(from, from + size)
      const effect = await project(batch)
      const to = next + BigInt(batch.length)
      await transactions.run(async (tx) => {
        if (!(await offsets.advance(tx, 'bench', place, next, { next: to, marks: [] }))) throw new Error('the fence was lost')
        await effect(tx)
      })
      next = to
    }
  }

  const byHand = async (messages) => {
    await pool.query('CREATE TABLE hand_stock (LIKE stock INCLUDING ALL)')
    await pool.query('CREATE TABLE hand_offset (partition int PRIMARY KEY, next bigint)')
    await pool.query('INSERT INTO hand_offset SELECT generate_series(0, $1 - 1), 0', [PARTITIONS])
    const partitions = [...Map.groupBy(messages, ({ partition }) => partition)]
    return rate(messages.length, () => Promise.all(partitions.map(([partition, each]) => followByHand(partition, each))))
  }
  const followByHand = async (partition, messages) => {
    const client = await pool.connect()
    const upsert = {
      name: 'hand-stock',
      text: `INSERT INTO hand_stock (sku, version, on_hand, reserved, available, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (sku) DO UPDATE SET version = excluded.version, on_hand = excluded.on_hand, reserved = excluded.reserved,
          available = excluded.available, updated_at = excluded.updated_at WHERE hand_stock.version < excluded.version`,
    }
    const move = { name: 'hand-offset', text: 'UPDATE hand_offset SET next = next + 1 WHERE partition = $1', values: [partition] }
    for (const { data } of messages) {
      await client.query('BEGIN')
      await client.query({ ...upsert, values: [data.sku, data.version, data.onHand, data.reserved, data.available, data.at] })
      await client.query(move)
      await client.query('COMMIT')
    }
    client.release()
  }

  await ours(
    'warm-up',
    stockMessages(2_000).map((each) => ({ ...each, topic: StockChanged.topic })),
  )
  await pool.query('TRUNCATE stock, applied_versions')
  const stock = await ours('stock.events', stockMessages(total))
  const orders = await ours('orders.events', orderMessages(total))
  const repeats = await ours('stock.events/again', stockMessages(total))
  const baseline = await byHand(stockMessages(baselineTotal))
  const result = {
    conditions: { cpus: cpus().length, fsync: true, messages: total, batch: size, partitions: PARTITIONS, baselineMessages: baselineTotal },
    stock,
    orders_and_history: orders,
    repeats,
    baseline,
    ratio: Number((stock.per_s / baseline.per_s).toFixed(1)),
  }
  if (options.json) console.log(JSON.stringify(result))
  else {
    console.log(
      `Messages applied a second, exactly once; ${total} of each, ${PARTITIONS} partitions, ${size} a transaction, fsync on, ${cpus().length} CPUs`,
    )
    const line = (name, { per_s, node_us, postgres_us }, more = '') =>
      console.log(`  ${name.padEnd(36)} ${per_s}   Node ${node_us ?? '?'} us, PostgreSQL ${postgres_us ?? '?'} us each${more}`)
    line('stock (one table)', stock)
    line('orders and their history (2 tables)', orders)
    line('repeats, which have no effect', repeats)
    line('by hand, one message a transaction', baseline, `   ratio for stock ${result.ratio}`)
  }
} finally {
  await source.destroy()
  await pool.end()
  await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  await admin.end()
  await server.stop()
}
