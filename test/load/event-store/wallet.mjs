// The wallet's own rules on the event store, on a PostgreSQL of its own with fsync on: transfers beside a hand-written one that asks the same
// limits, latency at half of the top rate, and two and three processes on the same wallets. `npm run load -- event-store/wallet --help`.
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command } from 'commander'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { isRefusal, paise, systemClock } from '#kernel'
import { createPool, migrate } from '#postgres'
import { decideTransfer, limitsFrom, walletDecider } from '#wallet'
import { publishWallet } from '../../../dist/apps/wallet/publish.js'
import { streamTypes, walletRef } from '../../../dist/apps/wallet/streams.js'
import { openCrudWithLimits } from './baselines/crud-with-limits.mjs'
import { highLimits, pairOf } from './transfers.mjs'
import { conditionsOf, inTurns, load, quantiles, rowsOf, say } from './measure.mjs'
import { startPostgres } from './postgres.mjs'
import { relayed } from './relayed.mjs'

const options = new Command('npm run load -- event-store/wallet')
  .description(
    "Transfers by the wallet's rules, every limit asked with rows set high; appends at half of the top rate; replicas on the same wallets.",
  )
  .option('--seconds <count>', 'length of one measurement', Number, 3)
  .option('--rounds <count>', 'measurements of each side of a comparison, one after the other; the median counts', Number, 3)
  .option('--wallets <count>', 'wallets, or accounts', Number, 1_000)
  .option('--connections <count>', 'connections of the hand-written transfer', Number, 16)
  .option('--only <case>', 'transfer, half or replicas')
  .option('--json', 'print JSON and nothing else')
  .option('--replica-of <url>', 'used by the command itself: one process of several')
  .option('--clients <count>', "a replica's callers", Number, 64)
  .parse()
  .opts()
const { seconds, rounds, wallets } = options
const SCHEMA = 'wallet'
const RELAYED = 'wallet_relayed'
const ACTOR = randomUUID()
const FINGERPRINT = 'a'.repeat(64)
const limitsAt = limitsFrom(highLimits)
const decider = walletDecider(limitsAt)
const idOf = (index) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
const answerOf = (id) =>
  JSON.stringify({ status: 201, headers: { etag: '"1"' }, body: JSON.stringify({ transferId: id, status: 'COMPLETED' }) })

const openWallets = async (url, schema = SCHEMA, publish = () => [], onBatch = () => undefined) => {
  const postgres = { url, schema, applicationName: 'bench', maxConnections: 4, statementTimeout_ms: 60_000 }
  const pool = createPool(postgres)
  const store = await openEventStore({ pool, postgres, types: streamTypes, publish, clock: systemClock, app: 'bench', onBatch })
  const execute = (id, streams, decide) =>
    store.execute({ id, fingerprint: FINGERPRINT, streams, metadata: { actor: ACTOR, correlationId: id, causationId: id }, decide })
  const accepted = (decided) => {
    if (isRefusal(decided)) throw new Error(`refused: ${decided.slug}`)
    return decided
  }
  const change = (index, id, command) => {
    const wallet = walletRef(idOf(index))
    return execute(id, [wallet], (states) => ({
      appends: [{ stream: wallet, events: accepted(decider.decide({ at_ms: Date.now(), ...command }, states.of(wallet).state)) }],
      answer: answerOf(id),
    }))
  }
  return {
    pool,
    store,
    credit: (index, id) => change(index, id, { type: 'credit', entryId: id, amount: paise(1n), reference: 'load' }),
    transfer(from, to, id) {
      const [one, other] = [walletRef(idOf(from)), walletRef(idOf(to))]
      const transfer = {
        at_ms: Date.now(),
        transferId: id,
        fromWalletId: idOf(from),
        toWalletId: idOf(to),
        amount: paise(1n),
        reference: 'load',
      }
      return execute(id, [one, other], (states) => {
        const sides = accepted(decideTransfer(transfer, states.of(one).state, states.of(other).state, limitsAt))
        return {
          appends: [
            { stream: one, events: sides.out },
            { stream: other, events: sides.in },
          ],
          answer: answerOf(id),
        }
      })
    },
    async fund() {
      const each = async (command) =>
        Promise.all(Array.from({ length: wallets }, (_, index) => change(index, randomUUID(), command(index))))
      await each((index) => ({ type: 'open', ownerId: idOf(index), kyc: 'full' }))
      await each(() => ({ type: 'credit', entryId: randomUUID(), amount: paise(1_000_000_000n), reference: 'load' }))
    },
    async close() {
      await store.close()
      await pool.end()
    },
  }
}

if (options.replicaOf) {
  let decided = 0
  let refused = 0
  const own = await openWallets(options.replicaOf, SCHEMA, undefined, (batch) => {
    decided += batch.commands
    refused += batch.refused
  })
  let before
  const credit = (_, id) => own.credit(Math.floor(Math.random() * wallets), id)
  const result = await load({ clients: options.clients, streams: wallets, seconds }, credit, async () => {
    ;[decided, refused] = [0, 0]
    before = process.cpuUsage()
  })
  const { user, system } = process.cpuUsage(before)
  await own.close()
  process.send({ ...result, refused: refused / decided, cpu_us: (user + system) / result.count }, () => process.exit())
} else await measure()

async function measure() {
  const server = await startPostgres()
  try {
    await migrate({ url: server.url, schema: SCHEMA, migrations: eventStoreMigrations })
    const ours = await openWallets(server.url)
    await ours.fund()
    const wanted = (name) => options.only === undefined || options.only === name
    const result = { conditions: { ...(await conditionsOf(server.url)), wallets, seconds, rounds } }
    if (wanted('transfer') || wanted('half')) {
      const published = await openRelayed(server.url)
      if (wanted('transfer')) result.transfers = await transfers(server.url, ours, published)
      if (wanted('half')) {
        const withRelay = async () => {
          const half = await halfOfTop(published)
          await published.drained()
          return half
        }
        result.half = await inTurns(rounds, { ours: () => halfOfTop(ours), relayed: withRelay }, 'p99_ms')
      }
      await published.close()
    }
    result.rows = await rowsOf(server.url, ['wallet.events', 'wallet.commands', 'wallet.streams'])
    await ours.close()
    if (wanted('replicas')) result.replicas = await replicas(server.url)
    if (options.json) console.log(JSON.stringify(result))
    else print(result)
  } finally {
    await server.stop()
  }
}

/** The same in a schema of its own, of which all is published to the log in the same PostgreSQL by a relay in this process. */
async function openRelayed(url) {
  await migrate({ url, schema: RELAYED, migrations: eventStoreMigrations })
  const wallet = await openWallets(url, RELAYED, publishWallet)
  const { drained, stop } = await relayed({ url, topic: 'wallet.events', ...wallet })
  await wallet.fund()
  await drained()
  return {
    ...wallet,
    drained,
    async close() {
      await stop()
      await wallet.close()
    },
  }
}

async function transfers(url, ours, published) {
  const crud = await openCrudWithLimits(url, {
    ...options,
    accounts: wallets,
    fingerprint: FINGERPRINT,
    actor: ACTOR,
    answer: answerOf(randomUUID()),
  })
  const sides = {
    ours: (stream, id) => ours.transfer(...pairOf(stream, wallets), id),
    crud: (stream, id) => crud.transfer(id, ...pairOf(stream, wallets).map(String)),
  }
  const results = []
  for (const clients of [64, 256]) {
    const measure = (side) => () => load({ clients, streams: wallets, seconds }, side)
    const withRelay = async () => {
      const result = await measure((stream, id) => published.transfer(...pairOf(stream, wallets), id))()
      await published.drained()
      return result
    }
    results.push({ clients, ...(await inTurns(rounds, { ours: measure(sides.ours), relayed: withRelay, crud: measure(sides.crud) })) })
  }
  await crud.close()
  return results
}

/**
 * Open loop: commands come at their times, whether or not those before them are answered, and count from when they were due. The generator neither
 * spins on a core that PostgreSQL could use nor keeps what was answered, which would be collected on the store's account.
 */
async function halfOfTop(ours) {
  const append = (_, id) => ours.credit(Math.floor(Math.random() * wallets), id)
  const top = await load({ clients: 64, streams: wallets, seconds }, append)
  const rate = top.perSecond / 2
  const latencies = []
  let [sent, failure] = [0, undefined]
  const started = performance.now()
  while (latencies.length < rate * seconds && !failure) {
    const due = Math.min(((performance.now() - started) / 1_000) * rate, rate * seconds)
    for (; sent < due; sent++) {
      const at = started + (sent * 1_000) / rate
      append('', randomUUID()).then(
        () => latencies.push(performance.now() - at),
        (error) => (failure = error),
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  if (failure) throw failure
  return { top: top.perSecond, rate, ...quantiles(latencies) }
}

async function replicas(url) {
  const together = async (count) => {
    const args = [
      '--replica-of',
      url,
      '--seconds',
      String(seconds),
      '--wallets',
      String(wallets),
      '--clients',
      String(Math.floor(64 / count)),
    ]
    const each = await Promise.all(Array.from({ length: count }, () => replica(args)))
    return {
      replicas: count,
      perSecond: each.reduce((sum, { perSecond }) => sum + perSecond, 0),
      slowest_ms: Math.max(...each.map(({ max_ms }) => max_ms)),
      refused: Math.max(...each.map(({ refused }) => refused)),
      cpu_us: each.reduce((sum, { cpu_us }) => sum + cpu_us, 0) / count,
    }
  }
  const { one, two, three } = await inTurns(rounds, { one: () => together(1), two: () => together(2), three: () => together(3) })
  return [one, two, three].map((result) => ({ ...result, toOne: result.perSecond / one.perSecond }))
}

function replica(args) {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), args)
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`a replica ended with ${code} before it had measured`)))
  })
}

function print({ conditions, rows, transfers: moved, half, replicas: several }) {
  say(conditions)
  say(rows)
  if (moved) {
    const table = new Table({
      head: [
        'transfers',
        'ours/s',
        'p50 ms',
        'p99 ms',
        'relay on/s',
        'p50 ms',
        'p99 ms',
        'CRUD/s',
        'p50 ms',
        'p99 ms',
        'ratio',
        'relay on',
      ],
      style: { head: [] },
    })
    const cells = ({ perSecond, p50_ms, p99_ms }) => [Math.round(perSecond), p50_ms.toFixed(1), p99_ms.toFixed(1)]
    const ratio = (side, crud) => (side.perSecond / crud.perSecond).toFixed(2)
    for (const { clients, ours, relayed, crud } of moved)
      table.push([`${clients} clients`, ...cells(ours), ...cells(relayed), ...cells(crud), ratio(ours, crud), ratio(relayed, crud)])
    console.log(table.toString())
  }
  for (const [relay, { rate, top, p50_ms, p99_ms }] of Object.entries(half ?? {}))
    console.log(
      `credits at ${Math.round(rate)}/s, half of the ${Math.round(top)}/s of 64 clients, relay ${relay === 'ours' ? 'off' : 'on'}: p50 ${p50_ms.toFixed(1)} ms, p99 ${p99_ms.toFixed(1)} ms`,
    )
  for (const { replicas: count, perSecond, slowest_ms, toOne, refused, cpu_us } of several ?? [])
    console.log(
      `${count} processes on the same wallets, 64 clients in all: ${Math.round(perSecond)}/s together, ${toOne.toFixed(2)} of one, slowest answer ${slowest_ms.toFixed(0)} ms; ` +
        `${(refused * 100).toFixed(0)}% of what was decided was refused, ${cpu_us.toFixed(0)} µs of Node's processor a command`,
    )
}
