// `npm run test:e2e:compose`: the platform as docker-compose.yml describes it, in a project of its own with passwords of its own, and against it
// the whole end-to-end suite, and the dashboards' queries against its Prometheus; then the suite with two replicas of each app; then every app
// restarted, and every container killed, in turn while orders run. Removes all it started, also when it is interrupted.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepare, Refused, sayAndExit } from '../../scripts/prepare.mjs'
import { foreignSpecs } from '../e2e/foreign.mjs'
import { freePort } from '../support/kafka.mjs'
import { QUICK } from '../support/quick.mjs'
import { Runner } from '../support/runner.mjs'

const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const PHASES = ['layers', 'observability', 'one', 'two', 'restart', 'kill']
const BUILD_MS = 10 * 60_000
const UP_MS = 5 * 60_000
const SUITE_MS = 22 * 60_000
const DOWN_MS = 2 * 60_000

const { values: options } = parseArgs({
  options: {
    results: { type: 'string' },
    only: { type: 'string', default: PHASES.join() },
    bounded: { type: 'boolean' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (options.help) {
  console.log(`npm run test:e2e:compose [-- --only ${PHASES.join()}] [--bounded] [--keep] [--results <folder>]

  --only     one image built twice, layer by layer the same; each panel of the dashboards asked of the Prometheus of the profile \`observability\`; the suite
             against one replica of each app, and against two; every app restarted, every container killed in turn
  --bounded  what CI has time for: the paths of orders and money with two replicas and all else with one, no restarts in turn, no second build of an image
  --keep     leave the containers running afterwards
  --results  where Jest's results go as JSON`)
  process.exit(0)
}

const folder = mkdtempSync(join(tmpdir(), 'bahi-compose-'))
const env = {
  ...process.env,
  ...QUICK,
  COMPOSE_PROJECT_NAME: `bahi-e2e-${process.pid}`,
  NODE_OPTIONS: '',
  BAHI_COMPOSE_ENV: join(folder, 'env'),
}
const files = ['--env-file', join(folder, 'env'), '-f', 'docker-compose.yml', '-f', 'test/compose/quick.yml']

const runner = new Runner('compose', () => env, options.results)
const run = runner.run.bind(runner)

const compose = (what, timeout_ms, ...args) =>
  runner.timed(what, async () => {
    if (!(await run('docker', ['compose', ...files, '--progress', 'quiet', ...args], timeout_ms)))
      throw new Refused(`docker compose could not ${what}`)
  })

const jest = (name, project, ...args) => runner.jest(name, project, SUITE_MS, ...args)
/** In one start of Jest, one after the other. */
const specs = (part, names) => jest(part, 'compose', '--maxWorkers=1', ...names.map((name) => `test/compose/${name}.compose.spec.ts`))
const spec = (name) => specs(name, [name])

/** Where replicas share sagas, money and stock. */
const SHARED = ['order-payment', 'order-life', 'wallet-loads', 'reconciliation'].map((name) => `test/e2e/${name}.e2e.spec.ts`)
/** One after the other: a flash sale leaves the orders of others waiting behind two thousand. */
const suite = (name, { only = [], without = [] }) => {
  const left = [foreignSpecs(), ...without.map((path) => path.replaceAll('.', '\\.'))].join('|')
  return jest(name, 'e2e', '--maxWorkers=1', `--testPathIgnorePatterns=/(${left})$`, ...only)
}

const checkEngine = () => {
  const { status, stderr } = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8', timeout: 20_000 })
  const engine = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { encoding: 'utf8', timeout: 20_000 })
  if (status !== 0) throw new Refused(`docker compose (2.20 or newer) is needed: ${stderr ?? 'docker is not installed'}`)
  if (engine.status !== 0) throw new Refused(`no Docker engine answers: ${engine.stderr.trim()}`)
}

const checkPhases = () => {
  const phases = options.only.split(',')
  const unknown = phases.find((phase) => !PHASES.includes(phase))
  if (unknown !== undefined) throw new Refused(`--only ${unknown}: there are ${PHASES.join(', ')}`)
  return phases
}

const runAll = async (phases) => {
  const passed = []
  env.GATEWAY_PORT = String(await freePort())
  env.SANDBOX_PORT = String(await freePort())
  env.PROMETHEUS_PORT = String(await freePort())
  env.BAHI_E2E_SANDBOX_URL = `http://127.0.0.1:${env.SANDBOX_PORT}`
  env.BAHI_E2E_URL = `http://127.0.0.1:${env.GATEWAY_PORT}`
  await run('sh', ['deploy/make-env.sh', join(folder, 'env')], 10_000, 'ignore')
  await compose('build', BUILD_MS, 'build')
  if (phases.includes('layers') && !options.bounded) passed.push(await spec('reproducible'))
  if (phases.every((phase) => phase === 'layers')) return passed.every(Boolean)
  const began = performance.now()
  await compose('start everything until it is ready', UP_MS, 'up', '--wait')
  passed.push(await spec('first-order'))
  console.log(`compose: from no container to the first order confirmed: ${Math.round((performance.now() - began) / 1_000)} s`)
  if (phases.includes('observability')) {
    await compose('start Prometheus', UP_MS, '--profile', 'observability', 'up', '--wait', '--no-recreate', '--no-deps', 'prometheus')
    passed.push(await spec('observability'))
  }
  // Bounded, each of the suite runs once: of these one replica would show less than two, and they take long.
  const shared = options.bounded ? SHARED : []
  if (phases.includes('one')) {
    passed.push(await specs('inside', ['images', 'gateway', 'databases', 'doctor']))
    passed.push(await suite('one', { without: phases.includes('two') ? shared : [] }))
  }
  if (['two', 'restart', 'kill'].some((phase) => phases.includes(phase)))
    await compose(
      'add a second replica of each app',
      UP_MS,
      'up',
      '--wait',
      '--no-recreate',
      ...APPS.flatMap((app) => ['--scale', `${app}=2`]),
    )
  if (phases.includes('two')) passed.push(await suite('two', { only: shared }))
  if (phases.includes('restart') && !options.bounded) passed.push(await spec('restart'))
  if (phases.includes('kill')) passed.push(await spec('kill'))
  // Of all that was said since the first order.
  if (phases.some((phase) => ['one', 'two', 'restart', 'kill'].includes(phase))) passed.push(await spec('logs'))
  return passed.every(Boolean)
}

const tellLogs = () => run('docker', ['compose', ...files, 'logs', '--no-color', '--tail', '25'], 60_000)

const stop = async () => {
  runner.stopping()
  if (!options.keep) {
    const down = ['compose', ...files, '--profile', '*', '--progress', 'quiet', 'down', '--volumes', '--timeout', '10']
    if (!(await run('docker', down, DOWN_MS))) console.error(`docker compose could not remove the project ${env.COMPOSE_PROJECT_NAME}`)
    rmSync(folder, { recursive: true, force: true })
  } else console.log(`left running: ${env.BAHI_E2E_URL}, project ${env.COMPOSE_PROJECT_NAME}, its passwords in ${folder}/env`)
}

let began = false
try {
  const phases = checkPhases()
  checkEngine()
  await prepare()
  if (options.results) mkdirSync(options.results, { recursive: true })
  began = true
  const ok = await runAll(phases)
  if (!ok) await tellLogs()
  await stop()
  process.exit(ok ? 0 : 1)
} catch (error) {
  if (began && !runner.interrupted) await tellLogs()
  if (began) await stop()
  else rmSync(folder, { recursive: true, force: true })
  sayAndExit(error)
}
