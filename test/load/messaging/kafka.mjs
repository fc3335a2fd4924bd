// Kafka: ours by each of its two clients beside Nest's own ServerKafka, over the same records, in one run.
//   npm run load -- messaging/kafka [--messages 200000] [--slow 20000] [--json] [--help]
// Needs Java 17 and Maven for a Kafka of its own, unless BAHI_BENCH_KAFKA names brokers.
// Records are CloudEvents with 256 bytes of data, 1,000 keys, 6 partitions. `per_second` is of the second to the last message handled;
// `per_cpu_second` of what this process used meanwhile, which tells the consumers apart where the broker or a neighbour is the limit.
import 'reflect-metadata'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { Controller, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { EventPattern, Transport } from '@nestjs/microservices'
import { encodeMessage, kafkaLog, noEffect } from '#messaging'
import { memoryTransactions } from '../../../dist/libs/kernel/testing/index.js'
import { BatchPattern, LogServer } from '#messaging/nest'
import { MemoryConsumerStore } from '../../../dist/libs/messaging/testing/memory-consumer-store.js'
import { startKafka } from '../../support/kafka.mjs'

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '200000' },
    slow: { type: 'string', default: '20000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(`Usage: npm run load -- messaging/kafka [options]
  --messages <n>   messages for the empty handler (200000)
  --slow <n>       messages for the handler that waits 2 ms (20000; a tenth of them for Nest's own)
  --json           print one JSON object`)
  process.exit(0)
}

const KEYS = 1_000
const PARTITIONS = 6
const TIMEOUT_MS = 180_000
const KINDS = { stock: 'ServerKafka', each: '@EventPattern', batch: '@BatchPattern' }
const CLIENTS = ['kafkajs', 'platformatic']

const own = process.env.BAHI_BENCH_KAFKA ? undefined : await startKafka()
const brokers = own ? own.brokers : process.env.BAHI_BENCH_KAFKA.split(',')
const drivers = Object.fromEntries(
  await Promise.all(CLIENTS.map(async (client) => [client, await kafkaLog({ brokers, clientId: 'bench', client })])),
)

/** Resolves with the rates from the first call to the last acknowledgement. */
const produce = async (driver, topic, count) => {
  await driver.ensureTopics([{ name: topic, partitions: PARTITIONS, retention_ms: 86_400_000 }])
  const producer = await driver.producer()
  const text = 'x'.repeat(244)
  const context = { correlationId: 'bench', causationId: 'bench' }
  const batches = []
  for (let sent = 0; sent < count; sent += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, count - sent) }, (_, n) => {
      const message = { topic, key: `key-${(sent + n) % KEYS}`, type: 'Benched', schemaVersion: 1, data: { text }, context }
      return encodeMessage(message, 'bench', Date.now(), { incarnation: 'bench', position: BigInt(sent + n), ordinal: 0 })
    })
    batches.push(batch)
  }
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  for (const batch of batches) await producer.send(batch)
  const rates = ratesOf(count, began, cpu)
  await producer.close()
  return rates
}

const ratesOf = (measured, began, from) => {
  const { user, system } = process.cpuUsage(from)
  return {
    per_second: Math.round((measured / (performance.now() - began)) * 1_000),
    per_cpu_second: Math.round((measured / (user + system)) * 1e6),
  }
}

/** Resolves with the rates once `count` are handled. */
const meter = (count) => {
  let handled = 0
  let began = 0
  let firstBatch = 0
  let cpu
  let done
  const rate = new Promise((resolve, reject) => {
    done = resolve
    setTimeout(() => reject(new Error(`only ${handled} of ${count} after ${TIMEOUT_MS} ms`)), TIMEOUT_MS).unref()
  })
  const saw = (messages) => {
    if (began === 0) [began, firstBatch, cpu] = [performance.now(), messages, process.cpuUsage()]
    handled += messages
    if (handled < count) return
    done(ratesOf(count - firstBatch, began, cpu))
  }
  return { saw, rate }
}

const decorate = (target, ...decorators) =>
  decorators.forEach((each) => each(target, 'handle', Object.getOwnPropertyDescriptor(target, 'handle')))

const appOf = (kind, topic, saw, wait_ms) => {
  class Handlers {
    async handle(messages) {
      if (wait_ms > 0) await new Promise((resolve) => setTimeout(resolve, wait_ms))
      saw(kind === 'batch' ? messages.length : 1)
      return noEffect
    }
  }
  Controller()(Handlers)
  decorate(Handlers.prototype, kind === 'batch' ? BatchPattern(topic) : EventPattern(topic))
  class BenchModule {}
  Module({ controllers: [Handlers] })(BenchModule)
  return BenchModule
}

let groups = 0
const strategyOf = (kind, driver) => {
  const group = `bench-${kind}-${Date.now()}-${++groups}`
  if (kind !== 'stock') {
    return {
      strategy: new LogServer({
        driver,
        group,
        transactions: memoryTransactions(),
        consumerStore: new MemoryConsumerStore(),
        concurrency: 1_000,
      }),
    }
  }
  return {
    transport: Transport.KAFKA,
    options: {
      client: { brokers: [...brokers], logLevel: 0 },
      consumer: { groupId: group },
      subscribe: { fromBeginning: true },
      // Unless told, one partition after another: what waits would wait alone.
      run: { partitionsConsumedConcurrently: PARTITIONS },
    },
  }
}

const measure = async (kind, topic, count, wait_ms, driver) => {
  const { saw, rate } = meter(count)
  const app = await NestFactory.createMicroservice(appOf(kind, topic, saw, wait_ms), { ...strategyOf(kind, driver), logger: false })
  await app.listen()
  try {
    return await rate
  } finally {
    await app.close()
  }
}

try {
  const [many, slow] = [Number(options.messages), Number(options.slow)]
  const rows = []
  const beside = (base, ours) => ({ ratio: ratio(ours, base, 'per_second'), cpu_ratio: ratio(ours, base, 'per_cpu_second') })
  const ratio = (ours, base, of) => Math.round((ours[of] / base[of]) * 10) / 10
  let base
  for (const client of CLIENTS) {
    const rates = await produce(drivers[client], `bench-${client}`, many)
    base ??= rates
    rows.push({ case: 'produce to acknowledged', client, consumer: '', ...rates, ...beside(base, rates) })
  }
  await produce(drivers.platformatic, 'bench-slow', slow)
  for (const [name, topic, count, wait_ms] of [
    ['empty handler', 'bench-kafkajs', many, 0],
    [`handler that waits 2 ms, ${KEYS} keys`, 'bench-slow', slow, 2],
  ]) {
    const stock = await measure('stock', topic, wait_ms > 0 ? Math.ceil(count / 10) : count, wait_ms)
    rows.push({ case: name, client: 'kafkajs', consumer: KINDS.stock, ...stock, ratio: 1, cpu_ratio: 1 })
    for (const client of CLIENTS) {
      for (const kind of ['each', 'batch']) {
        if (kind === 'batch' && wait_ms > 0) continue
        const ours = await measure(kind, topic, count, wait_ms, drivers[client])
        rows.push({ case: name, client, consumer: KINDS[kind], ...ours, ...beside(stock, ours) })
      }
    }
  }
  if (options.json) console.log(JSON.stringify({ cores: cpus().length, node: process.version, rows }))
  else console.table(rows)
} finally {
  await Promise.all(Object.values(drivers).map((driver) => driver.close()))
  await own?.stop()
}
