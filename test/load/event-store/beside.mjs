// Ours beside what a team would take instead, in one run on one PostgreSQL with fsync on: Emmett's store, message-db, and hand-written transfers.
// `npm ci --prefix test/load/event-store/baselines` once, then `npm run load -- event-store/beside --help`.
import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import Table from 'cli-table3'
import { Command } from 'commander'
import { eventStoreMigrations, openEventStore, verifyAll } from '#event-store'
import { systemClock } from '#kernel'
import { createPool, migrate } from '#postgres'
import { baselines } from '../baselines.mjs'
import { openCrud } from './baselines/crud.mjs'
import { conditionsOf, inTurns, load, rowsOf, say } from './measure.mjs'
import { startPostgres } from './postgres.mjs'
import { publishAll, relayed } from './relayed.mjs'

const options = new Command('npm run load -- event-store/beside')
  .description('Ours, Emmett, message-db and hand-written transfers, in turns on one PostgreSQL; ratios are ours to theirs.')
  .option('--seconds <count>', 'length of one measurement', '3')
  .option('--rounds <count>', 'measurements of each side of a comparison, in turns; the median counts', '3')
  .option('--streams <count>', 'streams, or accounts', '1000')
  .option('--connections <count>', 'connections of each baseline (ours has one for its batches)', '16')
  .option('--events <count>', 'of the long stream', '100000')
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()
const { seconds, rounds, streams, connections, events } = Object.fromEntries(
  ['seconds', 'rounds', 'streams', 'connections', 'events'].map((name) => [name, Number(options[name])]),
)
const PAYLOAD_BYTES = 256

const data = { text: 'x'.repeat(PAYLOAD_BYTES - 11) }
const answer = JSON.stringify({ status: 201, headers: { etag: '"1"' }, body: JSON.stringify({ id: randomUUID(), balance: '149900' }) })
const metadata = { actor: randomUUID(), correlationId: randomUUID(), causationId: randomUUID() }
const FINGERPRINT = 'a'.repeat(64)
const TOPIC = 'bench.events'
const type = {
  category: 'bench',
  initialState: { count: 0, balance: 1_000_000_000 },
  evolve: ({ count, balance }, event) => ({ count: count + 1, balance: balance + (event.data.by ?? 0) }),
  snapshotEvery: 0,
}
const snapshotted = { ...type, category: 'snapshotted', snapshotEvery: 1_000, source: import.meta.url }

const openOurs = async (url, relay = false) => {
  await migrate({ url, schema: 'ours', migrations: eventStoreMigrations })
  const postgres = { url, schema: 'ours', applicationName: 'bench', maxConnections: 8, statementTimeout_ms: 60_000 }
  const pool = createPool(postgres)
  const publish = relay ? publishAll(TOPIC) : () => []
  const open = (types = [type, snapshotted]) => openEventStore({ pool, postgres, types, publish, clock: systemClock, app: 'bench' })
  const store = await open()
  const publishing = relay ? await relayed({ url, topic: TOPIC, store, pool }) : undefined
  const command = (refs, decide) => ({ id: randomUUID(), fingerprint: FINGERPRINT, streams: refs, metadata, decide })
  return {
    pool,
    open,
    append: (stream) => {
      const ref = { type, id: stream }
      return store.execute(command([ref], () => ({ appends: [{ stream: ref, events: [{ type: 'Happened', data }] }], answer })))
    },
    transfer: (from, to) => {
      const [one, other] = [
        { type, id: `account-${from}` },
        { type, id: `account-${to}` },
      ]
      const moved = (by, counterparty) => ({ type: 'Moved', data: { by, counterparty } })
      return store.execute(
        command([one, other], (states) => {
          if (states.of(one).state.balance < 1) return { appends: [], answer: 'refused' }
          return {
            appends: [
              { stream: one, events: [moved(-1, to)] },
              { stream: other, events: [moved(1, from)] },
            ],
            answer,
          }
        }),
      )
    },
    async appendMany(ref, count) {
      for (let left = count; left > 0; left -= 1_000) {
        const events = Array.from({ length: Math.min(1_000, left) }, () => ({ type: 'Happened', data }))
        await store.execute(command([ref], () => ({ appends: [{ stream: ref, events }], answer })))
      }
    },
    drained: async () => publishing?.drained(),
    close: async () => {
      await publishing?.stop()
      await store.close()
      await pool.end()
    },
  }
}

const timed = async (work) => {
  const began = performance.now()
  const result = await work()
  return { took_ms: performance.now() - began, result }
}

const [{ openEmmett }, { openMessageDb }] = await baselines('event-store', 'emmett', 'message-db')

const server = await startPostgres()
const results = []
try {
  const databases = Object.fromEntries(
    ['ours', 'relayed', 'emmett', 'message_db', 'crud'].map((name) => [name, server.url.replace(/\/postgres$/, `/${name}`)]),
  )
  const admin = createPool({ url: server.url, schema: 'public', applicationName: 'bench', maxConnections: 1 })
  for (const name of Object.keys(databases)) await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const ours = await openOurs(databases.ours)
  const published = await openOurs(databases.relayed, true)
  const emmett = await openEmmett(`${databases.emmett}?max=${connections}`, connections)
  const messageDb = await openMessageDb(databases.message_db, connections)
  const crud = await openCrud(databases.crud, { connections, accounts: streams, answer })
  /** What a relay is behind by then is published before another side is measured. */
  const drained = async (measured) => {
    const result = await measured
    await published.drained()
    return result
  }
  const rate = async (name, settings, sides) => {
    const measured = await inTurns(
      rounds,
      Object.fromEntries(Object.entries(sides).map(([side, append]) => [side, () => drained(load({ ...settings, seconds }, append))])),
    )
    results.push({ name, ...measured })
  }
  const other = (stream) => String((Number(stream.split('-')[1]) * 7 + Number(stream.split('-')[0]) + 1) % streams)
  const own = (stream) => String((Number(stream.split('-')[1]) * 13 + Number(stream.split('-')[0])) % streams)
  const distinct = (stream) => [own(stream), other(stream) === own(stream) ? String((Number(own(stream)) + 1) % streams) : other(stream)]

  for (const clients of [16, 64])
    await rate(
      `append, ${streams} streams, ${clients} clients`,
      { clients, streams },
      {
        'ours, full command': (stream) => ours.append(stream),
        'ours, relay on': (stream) => published.append(stream),
        'Emmett, bare': (stream) => emmett.append(stream, data),
        'message-db, bare': (stream) => messageDb.append(stream, data),
      },
    )
  await rate(
    'append, one hot stream, expected version, 64 clients',
    { clients: 64, streams: 1 },
    {
      'ours, full command': () => ours.append('hot'),
      'ours, relay on': () => published.append('hot'),
      'Emmett, bare': () => emmett.appendExpected('hot', data),
      'message-db, bare': () => messageDb.appendExpected('hot', data),
    },
  )
  await rate(
    `transfer, ${streams} accounts, 64 clients`,
    { clients: 64, streams },
    {
      'ours, two streams': (stream) => ours.transfer(...distinct(stream)),
      'ours, relay on': (stream) => published.transfer(...distinct(stream)),
      'CRUD, 7 trips': (stream, key) => crud.inSteps(key, ...distinct(stream)),
      'CRUD, one function': (stream, key) => crud.inOne(key, ...distinct(stream)),
    },
  )
  await rate(
    'transfer from one hot account, 64 clients',
    { clients: 64, streams },
    {
      'ours, two streams': (stream) => ours.transfer('0', distinct(`1-${stream.split('-')[1]}`)[1]),
      'ours, relay on': (stream) => published.transfer('0', distinct(`1-${stream.split('-')[1]}`)[1]),
      'CRUD, 7 trips': (stream, key) => crud.inSteps(key, '0', String((Number(stream.split('-')[0]) % (streams - 1)) + 1)),
      'CRUD, one function': (stream, key) => crud.inOne(key, '0', String((Number(stream.split('-')[0]) % (streams - 1)) + 1)),
    },
  )

  const long = { type, id: 'long' }
  await ours.appendMany(long, events)
  const short = { type: snapshotted, id: 'long' }
  await ours.appendMany(short, events)
  for (let left = events; left > 0; left -= 10_000) await emmett.appendMany('long', Math.min(10_000, left), data)
  const fresh = await ours.open()
  const folds = {
    'ours, all events': await timed(async () => (await fresh.load(long)).state.count),
    'ours, snapshot and tail': await timed(async () => (await fresh.load(short)).state.count),
    'SELECT and loop': await timed(async () => {
      const { rows } = await ours.pool.query('SELECT payload FROM events WHERE stream_id = $1 ORDER BY version', ['bench-long'])
      return rows.reduce((state, { payload }) => ({ count: state.count + (JSON.parse(payload.toString()) ? 1 : 0) }), { count: 0 }).count
    }),
    Emmett: await timed(() => emmett.fold('long')),
  }
  await fresh.close()
  const verified = await timed(() => verifyAll(ours.pool))
  const verify = {
    events: verified.result.events,
    faults: verified.result.faults.length,
    perSecond: (verified.result.events / verified.took_ms) * 1_000,
  }
  const conditions = {
    ...(await conditionsOf(server.url)),
    payload_bytes: PAYLOAD_BYTES,
    streams,
    connections,
    seconds,
    rounds,
  }
  const rows = {
    ...(await rowsOf(databases.ours, ['ours.events', 'ours.commands', 'ours.streams'])),
    ...(await rowsOf(databases.emmett, ['public.emt_messages', 'public.emt_streams'])),
    ...(await rowsOf(databases.message_db, ['message_store.messages'])),
    ...(await rowsOf(databases.crud, ['crud.accounts', 'crud.entries', 'crud.idempotency'])),
  }
  await Promise.all([ours.close(), published.close(), emmett.close(), messageDb.close(), crud.close()])
  if (options.json) console.log(JSON.stringify({ conditions, rows, results, folds, verify }))
  else print(conditions, rows, folds, verify)
} catch (error) {
  // Told before the server goes, whose end the baselines' own connections do not survive.
  console.error(error)
  process.exitCode = 1
} finally {
  process.on('uncaughtException', () => undefined)
  await server.stop()
}
// Pools of a baseline that failed would keep the process alive.
if (process.exitCode) process.exit()

function print(conditions, rows, folds, verify) {
  say(conditions)
  say(rows)
  const table = new Table({ head: ['case', 'side', '/s', 'p50 ms', 'p99 ms', 'ours to it'], style: { head: [] } })
  for (const { name, ...sides } of results) {
    const [first] = Object.values(sides)
    for (const [side, { perSecond, p50_ms, p99_ms }] of Object.entries(sides))
      table.push([name, side, Math.round(perSecond), p50_ms.toFixed(2), p99_ms.toFixed(2), (first.perSecond / perSecond).toFixed(1)])
  }
  console.log(table.toString())
  const base = folds['ours, all events'].took_ms
  for (const [side, { took_ms, result }] of Object.entries(folds))
    console.log(`load of ${result} events, ${side}: ${took_ms.toFixed(1)} ms (${(took_ms / base).toFixed(2)} of ours without snapshot)`)
  console.log(`verify: ${verify.events} events, ${verify.faults} faults, ${Math.round(verify.perSecond)}/s`)
}
