// The relay beside a polling outbox, from a store in PostgreSQL to what Kafka acknowledged, in one run.
//   npm run load -- messaging/relay [--events 1000000] [--polled 100000] [--rate 2000] [--seconds 15] [--json] [--help]
// Needs Java 17 and Maven for a Kafka of its own. PostgreSQL of its own too, fsync on. Events of 256 bytes, 1,000 keys, 6 partitions, acks of all.
// The polling outbox is of the usual kind: a row a message; read the oldest that are not marked, publish them, mark them. It gets pages of the
// same size, a partial index, and no pause between full pages; once by kafkajs, as it is mostly seen, and once by the client that ours uses.
import { randomUUID } from 'node:crypto'
import Table from 'cli-table3'
import { Command, InvalidArgumentError } from 'commander'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { encodeMessage, kafkaLog, Relay } from '#messaging'
import { createPool, migrate } from '#postgres'
import { startKafka } from '../../support/kafka.mjs'
import { conditionsOf, quantiles, say } from '../event-store/measure.mjs'
import { startPostgres } from '../event-store/postgres.mjs'
import { publishAll } from '../event-store/relayed.mjs'

const PARTITIONS = 6
const KEYS = 1_000
const PAGE = 500
const FILL_A_COMMAND = 100
const TIMEOUT_MS = 600_000
const WARM_UP_S = 1
const FINGERPRINT = 'a'.repeat(64)
const DATA = { text: 'x'.repeat(245) }

const whole = (text) => {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 10_000_000) return value
  throw new InvalidArgumentError('A whole number from 1 to 10000000.')
}
const options = new Command('npm run load -- messaging/relay')
  .description(
    'A backlog drained to what Kafka acknowledged, by the relay and by a polling outbox; and commit to acknowledged at a steady rate.',
  )
  .option('--events <count>', 'the backlog of the relay', whole, 1_000_000)
  .option('--polled <count>', 'the backlog of each polling outbox', whole, 100_000)
  .option('--rate <count>', 'commands a second in the steady run, one event each', whole, 2_000)
  .option('--seconds <count>', 'how long that runs', whole, 15)
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()

const progress = (line) => options.json || console.error(line)
const within = (promise, what) => {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${what}: not done after ${TIMEOUT_MS} ms`)), TIMEOUT_MS).unref()
  })
  return Promise.race([promise, late])
}

const server = await startPostgres()
let broker
try {
  broker = await startKafka()
  const brokers = [...broker.brokers]
  const results = []
  const { drain, steady } = await within(relay(brokers), 'the relay')
  const polled = {
    kafkajs: await within(poll('kafkajs', brokers), 'the polling outbox'),
    platformatic: await within(poll('platformatic', brokers), 'the polling outbox'),
  }
  results.push({ case: 'backlog', side: 'relay', ...drain })
  for (const [client, drained] of Object.entries(polled))
    results.push({ case: 'backlog', side: `polling outbox, ${client}`, ...drained, ours: drain.perSecond / drained.perSecond })
  results.push({ case: `answered to acknowledged, ${options.rate}/s due`, side: 'relay', ...steady })
  const conditions = { ...(await conditionsOf(server.url)), page: PAGE, events: options.events, polled: options.polled }
  if (options.json) console.log(JSON.stringify({ conditions, results }))
  else print(conditions, results)
} finally {
  await broker?.stop()
  await server.stop()
}

/** A clock over `count` messages, with what this process used meanwhile. */
function stopwatch() {
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  return (count) => {
    const { user, system } = process.cpuUsage(cpu)
    return { perSecond: (count / (performance.now() - began)) * 1_000, node_us: (user + system) / count }
  }
}

async function relay(brokers) {
  const schema = 'bench_relay'
  await migrate({ url: server.url, schema, migrations: eventStoreMigrations })
  const postgres = { url: server.url, schema, applicationName: 'bench', maxConnections: 8 }
  const pool = createPool(postgres)
  const type = { category: 'bench', initialState: 0, evolve: (state) => state + 1, snapshotEvery: 0 }
  const store = await openEventStore({ pool, postgres, types: [type], publish: publishAll(schema), clock: systemClock, app: 'bench' })
  const driver = await kafkaLog({ brokers, clientId: 'relay' })
  await driver.ensureTopics([{ name: schema, partitions: PARTITIONS, retention_ms: 86_400_000 }])
  const append = (stream, count) => {
    const ref = { type, id: `stream-${stream}` }
    const metadata = { actor: 'bench', correlationId: ref.id, causationId: 'bench' }
    const events = Array.from({ length: count }, () => ({ type: 'Happened', data: DATA }))
    const decide = () => ({ appends: [{ stream: ref, events }], answer: '{}' })
    return store.execute({ id: randomUUID(), fingerprint: FINGERPRINT, streams: [ref], metadata, decide })
  }
  const head = async () => (await pool.query('SELECT position FROM store')).rows[0].position

  const acknowledged = []
  const onSent = ({ position, delay_ms }) => acknowledged.push({ position, delay_ms, at: performance.now() })
  const relay = new Relay({ outbox: store.outbox, driver, app: 'bench', listener: { onSent } })
  const acknowledgedUpTo = async (position) => {
    while (!(acknowledged.at(-1)?.position >= position)) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  try {
    for (let filled = 0; filled < options.events;) {
      const page = Math.min(64, Math.ceil((options.events - filled) / FILL_A_COMMAND))
      const sizes = Array.from({ length: page }, (_, n) => Math.min(FILL_A_COMMAND, options.events - filled - n * FILL_A_COMMAND))
      await Promise.all(sizes.map((size, n) => append((filled / FILL_A_COMMAND + n) % KEYS, size)))
      const before = filled
      filled += sizes.reduce((sum, size) => sum + size, 0)
      if (Math.floor(filled / 250_000) > Math.floor(before / 250_000)) progress(`${filled} of ${options.events} events are in the store`)
    }
    await pool.query('VACUUM ANALYZE events')
    await pool.query('CHECKPOINT')
    const last = await head()
    const stop = stopwatch()
    await relay.start()
    await acknowledgedUpTo(last)
    const drain = stop(options.events)
    progress(`the relay sent ${Math.round(drain.perSecond)} a second`)
    acknowledged.length = 0
    return { drain, steady: await steadily(append, head, acknowledged, acknowledgedUpTo) }
  } finally {
    await relay.stop()
    await driver.close()
    await store.close()
    await pool.end()
  }
}

/**
 * From when a command's caller had its answer to when the page with its event was acknowledged; a page that is quicker than the answer counts 0. The
 * answer comes a little after the commit, so `recorded_p99_ms` beside it is from before: from the recording of each page's oldest event.
 */
async function steadily(append, head, acknowledged, acknowledgedUpTo) {
  const total = options.rate * (options.seconds + WARM_UP_S)
  const warm = options.rate * WARM_UP_S
  const first = await head()
  const answered = []
  let [sent, failure] = [0, undefined]
  const began = performance.now()
  while (answered.length < total && !failure) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * options.rate))
    for (; sent < due; sent++)
      append(sent % KEYS, 1).then(
        () => answered.push(performance.now()),
        (error) => (failure = error),
      )
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  if (failure) throw failure
  const perSecond = (total / (performance.now() - began)) * 1_000
  await acknowledgedUpTo(await head())
  // Positions follow the order of commits, and so, to within one batch, do the answers: the nth answer belongs to the nth position.
  let page = 0
  const took = answered.map((at, n) => {
    while (acknowledged[page].position < first + BigInt(n + 1)) page++
    return Math.max(0, acknowledged[page].at - at)
  })
  const recorded = acknowledged.filter(({ position }) => position > first + BigInt(warm)).map(({ delay_ms }) => delay_ms)
  return { perSecond, ...quantiles(took.slice(warm)), recorded_p99_ms: quantiles(recorded).p99_ms }
}

async function poll(client, brokers) {
  const schema = `bench_polled_${client}`
  const driver = await kafkaLog({ brokers, clientId: schema, client })
  await driver.ensureTopics([{ name: schema, partitions: PARTITIONS, retention_ms: 86_400_000 }])
  const producer = await driver.producer()
  const pool = createPool({ url: server.url, schema: 'public', applicationName: 'bench', maxConnections: 2 })
  try {
    await pool.query(`CREATE TABLE ${schema} (id bigserial PRIMARY KEY, key text NOT NULL, payload jsonb NOT NULL, sent_at timestamptz)`)
    await pool.query(`CREATE INDEX ON ${schema} (id) WHERE sent_at IS NULL`)
    const fill = `INSERT INTO ${schema} (key, payload) SELECT 'stream-' || n % ${KEYS}, $1::jsonb FROM generate_series(1, $2::int) n`
    await pool.query(fill, [JSON.stringify(DATA), options.polled])
    await pool.query(`VACUUM ANALYZE ${schema}`)
    await pool.query('CHECKPOINT')
    const next = { name: `${schema}-next`, text: `SELECT id, key, payload FROM ${schema} WHERE sent_at IS NULL ORDER BY id LIMIT ${PAGE}` }
    const mark = { name: `${schema}-mark`, text: `UPDATE ${schema} SET sent_at = now() WHERE id = ANY ($1::bigint[])` }
    const context = { correlationId: 'bench', causationId: 'bench' }
    const encoded = ({ id, key, payload }) => {
      const message = { topic: schema, key, type: 'Happened', schemaVersion: 1, data: payload, context }
      return encodeMessage(message, 'bench', Date.now(), { incarnation: 'bench', position: BigInt(id), ordinal: 0 })
    }
    const stop = stopwatch()
    for (let sent = 0; sent < options.polled;) {
      const { rows } = await pool.query(next)
      await producer.send(rows.map(encoded))
      await pool.query({ ...mark, values: [rows.map(({ id }) => id)] })
      sent += rows.length
    }
    const drained = stop(options.polled)
    progress(`the polling outbox by ${client} sent ${Math.round(drained.perSecond)} a second`)
    return drained
  } finally {
    await producer.close()
    await driver.close()
    await pool.end()
  }
}

function print(conditions, results) {
  say(conditions)
  const table = new Table({
    head: ['case', 'side', '/s', 'Node µs each', 'ours to it', 'p50 ms', 'p99 ms', 'p99 ms, from recorded'],
    style: { head: [] },
  })
  const shown = (value, digits) => (value === undefined ? '' : value.toFixed(digits))
  for (const { case: name, side, perSecond, node_us, ours, p50_ms, p99_ms, recorded_p99_ms } of results)
    table.push([
      name,
      side,
      Math.round(perSecond),
      shown(node_us, 1),
      shown(ours, 2),
      shown(p50_ms, 1),
      shown(p99_ms, 1),
      shown(recorded_p99_ms, 1),
    ])
  console.log(table.toString())
}
