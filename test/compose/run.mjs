// `npm run test:e2e:compose`: the platform as docker-compose.yml describes it, in a project of its own with passwords of its own, and against it
// the whole end-to-end suite; then the same with two replicas of each app; then with containers killed in turn. Removes all it started.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepare, projectNode, Refused, root, sayAndExit } from '../../scripts/prepare.mjs'
import { freePort } from '../support/kafka.mjs'

const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']
const BUILD_MS = 10 * 60_000
const UP_MS = 5 * 60_000
const SUITE_MS = 12 * 60_000
const DOWN_MS = 2 * 60_000

const { values: options } = parseArgs({
  options: {
    results: { type: 'string' },
    only: { type: 'string', default: 'one,two,kill' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (options.help) {
  console.log(`npm run test:e2e:compose [-- --only one,two,kill] [--keep] [--results <folder>]

  --only     the suite against one replica of each app, against two, with containers killed in turn
  --keep     leave the containers running afterwards
  --results  where Jest's results go as JSON`)
  process.exit(0)
}

const folder = mkdtempSync(join(tmpdir(), 'bahi-compose-'))
const env = { ...process.env, COMPOSE_PROJECT_NAME: `bahi-e2e-${process.pid}`, NODE_OPTIONS: '' }
const files = ['--env-file', join(folder, 'env'), '-f', 'docker-compose.yml', '-f', 'test/compose/quick.yml']

const run = (command, args, timeout_ms, stdio = 'inherit') =>
  new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env, stdio, timeout: timeout_ms, killSignal: 'SIGKILL' })
    child.on('error', () => resolve(false))
    child.on('exit', (code) => resolve(code === 0))
  })

const compose = async (what, timeout_ms, ...args) => {
  const began = performance.now()
  if (!(await run('docker', ['compose', ...files, '--progress', 'quiet', ...args], timeout_ms)))
    throw new Refused(`docker compose could not ${what}`)
  console.log(`compose: ${what}: ${Math.round((performance.now() - began) / 1_000)} s`)
}

const jest = (name, project, ...args) => {
  const results = options.results ? ['--json', `--outputFile=${join(options.results, `compose-${name}.json`)}`] : []
  return run(projectNode(), ['scripts/jest.mjs', project, '--forceExit', ...args, ...results], SUITE_MS)
}

/** What starts a platform of its own is no test of this one. */
const suite = (name) => jest(name, 'e2e', '--testPathIgnorePatterns=limits.e2e')

const checkEngine = () => {
  const { status, stderr } = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8', timeout: 20_000 })
  const engine = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { encoding: 'utf8', timeout: 20_000 })
  if (status !== 0) throw new Refused(`docker compose (2.20 or newer) is needed: ${stderr ?? 'docker is not installed'}`)
  if (engine.status !== 0) throw new Refused(`no Docker engine answers: ${engine.stderr.trim()}`)
}

const runAll = async () => {
  const passed = []
  env.GATEWAY_PORT = String(await freePort())
  env.SANDBOX_PORT = String(await freePort())
  env.BAHI_E2E_SANDBOX_URL = `http://127.0.0.1:${env.SANDBOX_PORT}`
  env.BAHI_E2E_URL = `http://127.0.0.1:${env.GATEWAY_PORT}`
  await run('sh', ['deploy/make-env.sh', join(folder, 'env')], 10_000, 'ignore')
  await compose('build', BUILD_MS, 'build')
  await compose('start everything until it is ready', UP_MS, 'up', '--wait')
  if (options.only.includes('one')) passed.push(await suite('one'))
  if (options.only.includes('two') || options.only.includes('kill'))
    await compose(
      'add a second replica of each app',
      UP_MS,
      'up',
      '--wait',
      '--no-recreate',
      ...APPS.flatMap((app) => ['--scale', `${app}=2`]),
    )
  if (options.only.includes('two')) passed.push(await suite('two'))
  if (options.only.includes('kill')) passed.push(await jest('kill', 'compose'))
  return passed.every(Boolean)
}

const stop = async () => {
  if (!options.keep) {
    await run('docker', ['compose', ...files, '--progress', 'quiet', 'down', '--volumes', '--timeout', '10'], DOWN_MS)
    rmSync(folder, { recursive: true, force: true })
  } else
    console.log(
      `left running: ${env.BAHI_E2E_URL}, project ${env.COMPOSE_PROJECT_NAME}, ${readFileSync(join(folder, 'env')).length} bytes of secrets in ${folder}/env`,
    )
}

let ok = false
try {
  checkEngine()
  await prepare()
  if (options.results) mkdirSync(options.results, { recursive: true })
  ok = await runAll()
  if (!ok) await run('docker', ['compose', ...files, 'logs', '--no-color', '--tail', '40'], 60_000)
} catch (error) {
  await run('docker', ['compose', ...files, 'logs', '--no-color', '--tail', '40'], 60_000)
  await stop()
  sayAndExit(error)
}
await stop()
process.exit(ok ? 0 : 1)
