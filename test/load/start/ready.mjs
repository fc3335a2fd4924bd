// npm run load -- start/ready [--app wallet] [--rounds 5]: from starting an app's process to its first `ready`, with what Node compiled before kept
// as an image keeps it, and without; beside a process of stock Fastify that answers one route.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from '../event-store/postgres.mjs'
import { stat } from '../orders/cpu-time.mjs'

const { values } = parseArgs({ options: { app: { type: 'string' }, rounds: { type: 'string', default: '5' }, help: { type: 'boolean' } } })
if (values.help) {
  console.log('npm run load -- start/ready [--app wallet] [--rounds 5]')
  process.exit(0)
}
const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const apps = values.app ? [values.app] : APPS
const rounds = Math.min(Math.max(Number(values.rounds) || 5, 1), 50)
const MOST_MS = 60_000

const postgres = await startPostgres()
const cache = await mkdtemp(join(tmpdir(), 'bahi-compiled-'))
const base = {
  PATH: process.env.PATH,
  NODE_ENV: 'production',
  DATABASE_URL: postgres.url,
  KEYS_DATABASE_URL: postgres.url,
  REGION: 'in-development',
  LOG: 'postgres',
  JWKS_URL: 'http://127.0.0.1:9/jwks',
  JWT_ISSUER: 'https://issuer.test',
  MASTER_KEY: randomBytes(32).toString('base64'),
  FRAUD_HASH_KEY: randomBytes(32).toString('hex'),
  PROVIDER_URL: 'http://127.0.0.1:9',
  PROVIDER_API_KEY: randomBytes(16).toString('hex'),
  PROVIDER_WEBHOOK_SECRET: randomBytes(32).toString('hex'),
  LOG_LEVEL: 'warn',
}

/** As an image runs it (Dockerfile). */
const FLAGS = ['--enable-source-maps', '--disable-warning=ExperimentalWarning']
const run = (words, env) => spawn(process.execPath, words, { env, stdio: ['ignore', 'ignore', 'pipe'] })

/** Milliseconds until `path` is answered 200, and what the process took of the processor by then: that tells also on a machine with other work. */
const timed = async (words, env, port, path) => {
  const began = performance.now()
  const child = run(words, { ...env, PORT: String(port) })
  let said = ''
  child.stderr.on('data', (text) => (said += text))
  const ended = once(child, 'exit')
  try {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined)
      await answer?.arrayBuffer()
      if (answer?.status === 200) return { ready_ms: performance.now() - began, cpu_ms: (await stat(child.pid))?.used_ms ?? Number.NaN }
      if (child.exitCode !== null || performance.now() - began > MOST_MS) throw new Error(`it was not ready: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

const middle = (times, of = 'ready_ms') => times.map((time) => time[of]).toSorted((a, b) => a - b)[Math.floor(times.length / 2)]
const seconds = (ms) => `${(ms / 1_000).toFixed(2)} s`
let port = 20_000 + (process.pid % 20_000)
const measure = async (words, env, path) => {
  const times = []
  for (let round = 0; round < rounds; round++) times.push(await timed(words, env, ++port, path))
  return times
}

try {
  const stock = `const f=require('fastify')();f.get('/',async()=>({}));f.listen({port:+process.env.PORT,host:'127.0.0.1'})`
  const stockTimes = await measure(['-e', stock], { PATH: base.PATH }, '/')
  const baseline = middle(stockTimes)
  console.log(`stock Fastify, one route: ready after ${seconds(baseline)}; ${seconds(middle(stockTimes, 'cpu_ms'))} of the processor`)
  for (const app of apps) {
    const main = join(import.meta.dirname, `../../../dist/apps/${app}/main.js`)
    const migrated = run([main, 'migrate'], base)
    let said = ''
    migrated.stderr.on('data', (text) => (said += text))
    if ((await once(migrated, 'exit'))[0] !== 0) throw new Error(`${app} did not migrate: ${said}`)
    const words = [...FLAGS, main]
    const cold = await measure(words, base, '/health/ready')
    const kept = { ...base, NODE_COMPILE_CACHE: cache, NODE_COMPILE_CACHE_PORTABLE: '1' }
    await timed(words, kept, ++port, '/health/ready')
    const warm = await measure(words, kept, '/health/ready')
    for (const [times, how] of [
      [warm, 'what was compiled before kept'],
      [cold, 'nothing kept'],
    ])
      console.log(
        `${app.padEnd(14)} ready after ${seconds(middle(times))}, ${(middle(times) / baseline).toFixed(1)} times the baseline; ` +
          `${seconds(middle(times, 'cpu_ms'))} of the processor (${how})`,
      )
  }
  console.log(
    `${rounds} rounds, the middle one; ${availableParallelism()} cores (${cpus()[0]?.model.trim()}), Node ${process.version}, load ${loadavg()[0].toFixed(1)}`,
  )
} finally {
  await postgres.stop()
  await rm(cache, { recursive: true, force: true })
}
