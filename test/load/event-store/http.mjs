// The wallet's transfer over HTTP: its app as it is deployed, a process of its own, beside stock Fastify with one INSERT per request on the same
// PostgreSQL (fsync on), under the same generator. `npm run load -- event-store/http --help`.
import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import Table from 'cli-table3'
import { Command } from 'commander'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import pg from 'pg'
import { SUBJECT_KEYS_SCHEMA, subjectKeyMigrations } from '#event-store'
import { logMigrations } from '#messaging'
import { createPool, migrate } from '#postgres'
import { migrations } from '../../../dist/apps/wallet/migrations.js'
import { cpuTime } from '../orders/cpu-time.mjs'
import { inParallel, openClient } from '../orders/shop.mjs'
import { highLimits, pairOf } from './transfers.mjs'
import { conditionsOf, inTurns, load, rowsOf, say } from './measure.mjs'
import { startPostgres } from './postgres.mjs'
import { drained } from './relayed.mjs'

const options = new Command('npm run load -- event-store/http')
  .description('POST /v1/transfers a second: the wallet app, with a relay that publishes and without, and stock Fastify with one INSERT.')
  .option('--clients <list>', 'callers, each on a connection of its own, that wait for their answer', '16,64')
  .option('--seconds <count>', 'length of one measurement', Number, 3)
  .option('--rounds <count>', 'measurements of each side, in turns; the median counts', Number, 3)
  .option('--wallets <count>', 'wallets', Number, 1_000)
  .option('--connections <count>', 'connections of the baseline', Number, 16)
  .option('--log-level <level>', 'of the wallet app; at info it writes a line for each request, as Fastify would too if asked', 'warn')
  .option('--cpu-prof <folder>', "write the wallet apps' CPU profiles there when they end")
  .option('--json', 'print JSON and nothing else')
  .parse()
  .opts()
const { seconds, rounds, wallets } = options
const clientCounts = options.clients.split(',').map(Number)
const ISSUER = 'https://issuer.test'
const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const inr = (paise) => ({ amount: String(paise), currency: 'INR' })

/** Of whom the app asks the keys by which it checks tokens. */
const startIssuer = async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'load', alg: 'ES256', use: 'sig' }] })
  const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end(keys)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    jwksUrl: `http://127.0.0.1:${server.address().port}/jwks`,
    token: (sub, role) =>
      new SignJWT({ roles: [role] })
        .setProtectedHeader({ alg: 'ES256', kid: 'load' })
        .setSubject(sub)
        .setIssuer(ISSUER)
        .setAudience('bahi')
        .setIssuedAt()
        .setExpirationTime('2h')
        .sign(privateKey),
    close: () => server.close(),
  }
}

/** A process that says where it listens; its later lines are read and let go. */
const listening = async (words, env) => {
  const child = spawn(process.execPath, words, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  // Also where this process ends by an error that nobody caught.
  const end = () => child.kill('SIGTERM')
  process.once('exit', end)
  const baseUrl = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listens on (http:\S+)/.exec(line)
      if (found) resolve(found[1].replace('0.0.0.0', '127.0.0.1').replace('[::1]', '127.0.0.1'))
    })
    ended.then(([code]) => reject(new Error(`${words.join(' ')} ended with ${code} before it listened`)))
  })
  const stop = async () => {
    process.off('exit', end)
    end()
    await ended
  }
  return { baseUrl, pid: child.pid, stop }
}

/** The wallet app on a database of its own, with its log in it, and wallets with money. */
const startWallet = async (server, issuer, database, { relay }) => {
  const url = server.url.replace(/\/postgres$/, `/${database}`)
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    PORT: '0',
    DATABASE_URL: url,
    KEYS_DATABASE_URL: url,
    REGION: 'in-development',
    JWKS_URL: issuer.jwksUrl,
    JWT_ISSUER: ISSUER,
    MASTER_KEY: randomBytes(32).toString('base64'),
    FRAUD_HASH_KEY: randomBytes(32).toString('hex'),
    RATE_LIMIT_PER_SECOND: '1000000',
    RATE_LIMIT_BURST: '1000000',
    LOG_LEVEL: options.logLevel,
    WALLET_LIMITS: JSON.stringify(highLimits),
  }
  const schemas = { wallet: migrations, log: logMigrations, [SUBJECT_KEYS_SCHEMA]: subjectKeyMigrations }
  for (const [schema, each] of Object.entries(schemas)) await migrate({ url, schema, migrations: each })
  const pool = createPool({ url, schema: 'wallet', applicationName: 'bench', maxConnections: 1 })
  // As where another process has the relay.
  if (!relay) await pool.query(`UPDATE relay SET owner = 'another', lease_until = 'infinity'`)
  const profile = options.cpuProf ? ['--cpu-prof', `--cpu-prof-dir=${options.cpuProf}`] : []
  const app = await listening(['--enable-source-maps', ...profile, 'dist/apps/wallet/main.js'], env)
  const client = openClient(app.baseUrl, 16)
  const staff = await issuer.token('load-support', 'support')
  const made = await inParallel(wallets, 16, async (index) => {
    const ownerId = `load-${index}`
    const call = { token: staff, key: randomUUID() }
    const { body } = await client.expect(201, 'POST', '/v1/wallets', { ...call, body: { ownerId, kyc: 'full' } })
    const credit = { amount: inr(1_000_000_000), reference: 'load' }
    await client.expect(201, 'POST', `/v1/wallets/${body.walletId}/credits`, { ...call, body: credit })
    return { walletId: body.walletId, token: await issuer.token(ownerId, 'customer') }
  })
  await client.close()
  return {
    ...app,
    wallets: made,
    rows: () => rowsOf(url, ['wallet.events', 'wallet.commands', 'wallet.streams']),
    drained: async () => relay && drained(pool),
    async stop() {
      await pool.end()
      await app.stop()
    },
  }
}

const startStock = async (server, made) => {
  const url = server.url.replace(/\/postgres$/, '/stock')
  const app = await listening([fileURLToPath(new URL('baselines/fastify-insert.mjs', import.meta.url)), url, String(options.connections)], {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
  })
  return { ...app, wallets: made, rows: () => rowsOf(url, ['public.transfers']), drained: async () => undefined }
}

/** Transfers by `clients` callers, with what each took of the processor: of the app, of PostgreSQL with all its processes, and of this generator. */
const measure = async (server, { baseUrl, pid, wallets: made, drained }, clients) => {
  const client = openClient(baseUrl, clients)
  const transfer = async (stream, key) => {
    const [from, to] = pairOf(stream, wallets).map((index) => made[index])
    const body = { fromWalletId: from.walletId, toWalletId: to.walletId, amount: inr(1), reference: 'load' }
    await client.expect(201, 'POST', '/v1/transfers', { token: from.token, key, body })
  }
  let before
  let own
  const result = await load({ clients, streams: wallets, seconds }, transfer, async () => {
    before = await cpuTime(pid, server.dataFolder)
    own = process.cpuUsage()
  })
  const generator = process.cpuUsage(own)
  const after = await cpuTime(pid, server.dataFolder)
  await client.close()
  await drained()
  const of = (used_ms) => (used_ms * 1_000) / result.count
  const cpu = before && {
    app_us: of(after.platform_ms - before.platform_ms),
    postgres_us: of(after.postgres_ms - before.postgres_ms),
    generator_us: of((generator.user + generator.system) / 1_000),
  }
  return { ...result, ...(cpu && { cpu }) }
}

const issuer = await startIssuer()
const server = await startPostgres()
const apps = {}
try {
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  for (const name of ['relayed', 'unrelayed', 'stock']) await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  apps['wallet, relay on'] = await startWallet(server, issuer, 'relayed', { relay: true })
  apps['wallet, relay off'] = await startWallet(server, issuer, 'unrelayed', { relay: false })
  apps['stock Fastify, one INSERT'] = await startStock(server, apps['wallet, relay on'].wallets)
  const results = []
  for (const clients of clientCounts) {
    const sides = Object.entries(apps).map(([name, app]) => [name, () => measure(server, app, clients)])
    results.push({ clients, sides: await inTurns(rounds, Object.fromEntries(sides)) })
  }
  const rows = { ...(await apps['wallet, relay on'].rows()), ...(await apps['stock Fastify, one INSERT'].rows()) }
  const conditions = { ...(await conditionsOf(server.url)), wallets, seconds, rounds, logLevel: options.logLevel }
  if (options.json) console.log(JSON.stringify({ conditions, rows, results }))
  else print(conditions, rows, results)
} finally {
  for (const app of Object.values(apps)) await app.stop()
  issuer.close()
  await server.stop()
}

function print(conditions, rows, results) {
  say(conditions)
  say(rows)
  const table = new Table({
    head: ['clients', 'side', '/s', 'p50 ms', 'p99 ms', 'CPU a request: app µs', 'PostgreSQL µs', 'generator µs', 'to stock'],
    style: { head: [] },
  })
  for (const { clients, sides } of results) {
    const stock = Object.values(sides).at(-1)
    for (const [side, { perSecond, p50_ms, p99_ms, cpu }] of Object.entries(sides)) {
      const used = [cpu?.app_us, cpu?.postgres_us, cpu?.generator_us].map((value) => value?.toFixed(0) ?? '')
      table.push([
        clients,
        side,
        Math.round(perSecond),
        p50_ms.toFixed(1),
        p99_ms.toFixed(1),
        ...used,
        (perSecond / stock.perSecond).toFixed(2),
      ])
    }
  }
  console.log(table.toString())
}
