// `npm run test:e2e:k8s`: k8s/overlays/local on a real cluster, from nothing to the first order; the whole end-to-end suite through the gateway;
// then pods killed, apps rolled, a budget, a scaler and network policies; before that, and without a cluster, the log pipeline's collector.
// Removes all it started, also when it is interrupted.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { prepare, Refused, root, sayAndExit } from '../../scripts/prepare.mjs'
import { foreignSpecs } from '../e2e/foreign.mjs'
import { freePort } from '../support/kafka.mjs'
import { QUICK } from '../support/quick.mjs'
import { Runner } from '../support/runner.mjs'
import { mustBeFound, NAMESPACE, openCluster } from './cluster.mjs'
import { collector } from './tools.mjs'

const PHASES = ['logs', 'suite', 'health', 'kill', 'roll', 'budget', 'scale', 'edges']
const BUILD_MS = 15 * 60_000
const APPLY_MS = 60_000
const READY_MS = 6 * 60_000
const SUITE_MS = 25 * 60_000
const FORWARD_ATTEMPTS = 30

const { values: options } = parseArgs({
  options: {
    results: { type: 'string' },
    only: { type: 'string', default: PHASES.join() },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (options.help) {
  console.log(`npm run test:e2e:k8s [-- --only ${PHASES.join()}] [--keep] [--results <folder>]

  On the cluster of KUBECONFIG, which must have the images; without it on one that ../shared/kubernetes starts, where that is.
  Always, but for --only logs, which needs none: kubectl apply -k k8s/overlays/local from nothing to the first order confirmed, and a pod refused that
  asks for more than it may.

  --only     logs: the log pipeline's collector, which Go builds from its modules once, on files as a node has them; then on the cluster the end-to-end
             suite through the gateway; each app's own doctor, and what is said of one that has no pod; every pod killed in turn while orders run;
             every app rolled under ORDERS_PER_SECOND (20); a budget that refuses the second eviction; a scaler from 1 to 3 and back; every way that
             network policies leave open, tried.
             --only '' is none of them
  --keep     leave the cluster running afterwards
  --results  where Jest's results go as JSON`)
  process.exit(0)
}

const folder = mkdtempSync(join(tmpdir(), 'bahi-k8s-'))
let env = { ...process.env, NODE_OPTIONS: '' }
const runner = new Runner('k8s', () => env, options.results)
const run = runner.run.bind(runner)
const timed = runner.timed.bind(runner)

const must = async (what, command, args, timeout_ms) => {
  if (!(await run(command, args, timeout_ms))) throw new Refused(`could not ${what}`)
}
const kubectl = (what, timeout_ms, ...args) => must(what, 'kubectl', ['-n', NAMESPACE, ...args], timeout_ms)
const ask = (...args) => {
  const { status, stdout, stderr } = spawnSync('kubectl', ['-n', NAMESPACE, ...args], { env, encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Refused(`kubectl ${args.join(' ')}: ${stderr.trim()}`)
  return stdout.trim()
}

/** A copy with passwords made for it; the images that it names. */
const overlay = join(folder, 'k8s/overlays/local')
const prepareOverlay = async () => {
  for (const each of ['k8s', 'deploy']) cpSync(join(root, each), join(folder, each), { recursive: true })
  for (const file of ['secrets.yaml', '.env']) rmSync(join(overlay, file), { force: true })
  await must('make secrets', 'sh', [join(overlay, 'make-secrets.sh')], 20_000)
}
const imagesOf = () => [...new Set([...ask('kustomize', overlay).matchAll(/^ +(?:- )?image: (\S+)$/gm)].map(([, image]) => image))]

const forwards = []
const answers = (url) =>
  fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(2_000) }).then(
    () => true,
    () => false,
  )

/** A way to a Service from here: its own address, where this machine is the node, or else a port that is forwarded for as long as this runs. */
const reach = async (service, port) => {
  const address = ask('get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}')
  const direct = `http://${address}:${port}`
  if (address !== 'None' && (await answers(direct))) return direct
  const local = await freePort()
  const forward = { child: undefined, stopped: false, url: `http://127.0.0.1:${local}` }
  const again = () => {
    if (forward.stopped) return
    // It goes to one pod, and ends with it.
    forward.child = spawn('kubectl', ['-n', NAMESPACE, 'port-forward', `service/${service}`, `${local}:${port}`], { env, stdio: 'ignore' })
    forward.child.on('error', () => undefined)
    forward.child.on('exit', () => setTimeout(again, 500).unref())
  }
  again()
  forwards.push(forward)
  await seeAnswering(forward)
  return forward.url
}

const seeAnswering = async ({ url }) => {
  for (let attempt = 0; !(await answers(url)); attempt++) {
    if (attempt === FORWARD_ATTEMPTS) throw new Refused(`${url}, which is forwarded to the cluster, does not answer`)
    await sleep(1_000)
  }
}

/** Pods were replaced: a forward may hold one that is gone, and would notice it by the first request that fails. */
const renewForwards = async () => {
  for (const forward of forwards) {
    const { child } = forward
    if (child.exitCode === null && child.signalCode === null && child.kill()) await once(child, 'exit')
    await seeAnswering(forward)
  }
}

const jest = (name, project, ...args) => runner.jest(name, project, SUITE_MS, ...args)
const spec = (name) => timed(name, () => jest(name, 'k8s', `test/k8s/${name}.k8s.spec.ts`))
/** One after the other: a flash sale leaves the orders of others waiting behind two thousand. */
const suite = () => timed('suite', () => jest('suite', 'e2e', '--maxWorkers=1', `--testPathIgnorePatterns=/(${foreignSpecs()})$`))

const ready = () =>
  kubectl('see every app ready', READY_MS, 'wait', '--for=condition=Available', 'deployment', '--all', `--timeout=${READY_MS / 1_000}s`)

const firstOrder = async () => {
  await kubectl('apply the overlay', APPLY_MS, 'apply', '-k', overlay)
  await ready()
  env.BAHI_E2E_URL = await reach('gateway', 8080)
  return spec('first-order')
}

/** The suite's own windows, and as many replicas as are asked for: the scalers have a phase of their own. */
const shorten = async () => {
  env.BAHI_E2E_SANDBOX_URL = await reach('provider-sandbox', 3000)
  await kubectl(
    'set the scalers',
    APPLY_MS,
    'patch',
    'hpa',
    'order-command',
    'order-query',
    'gateway',
    '--patch',
    '{"spec":{"maxReplicas":1}}',
  )
  const set = (what, ...variables) => kubectl('shorten windows', APPLY_MS, 'set', 'env', 'deployment', ...what, ...variables)
  await set(['-l', 'app.kubernetes.io/component=app'], ...Object.entries(QUICK).map(([name, value]) => `${name}=${value}`))
  await set(['payment-saga'], `PUBLIC_URL=${env.BAHI_E2E_URL}`)
  await set(['provider-sandbox'], `PUBLIC_URL=${env.BAHI_E2E_SANDBOX_URL}`)
  for (const deployment of ask('get', 'deployment', '-o', 'name').split('\n'))
    await kubectl(`see ${deployment} rolled out`, READY_MS, 'rollout', 'status', deployment, `--timeout=${READY_MS / 1_000}s`)
  await renewForwards()
}

const checkPhases = () => {
  const phases = options.only.split(',').filter(Boolean)
  const unknown = phases.find((phase) => !PHASES.includes(phase))
  if (unknown !== undefined) throw new Refused(`--only ${unknown}: there are ${PHASES.join(', ')}`)
  return phases
}

/** What needs no cluster. */
const alone = (phases) => phases.join() === 'logs'

const loadImages = async (load) => {
  if (process.env.KUBECONFIG) return
  const images = imagesOf()
  const missing = images.filter(
    (image) => spawnSync('docker', ['image', 'inspect', image], { stdio: 'ignore', timeout: 20_000 }).status !== 0,
  )
  if (missing.length > 0)
    throw new Refused(`the Docker engine has no ${missing.join(', ')}: docker pull them (test/compose/engine.sh does, for CI)`)
  await timed(`load ${images.length} images`, () => load(images))
}

const buildImages = async () => {
  if (process.env.KUBECONFIG) return
  await must('make passwords', 'sh', ['deploy/make-env.sh', join(folder, 'env')], 10_000)
  const build = ['compose', '--env-file', join(folder, 'env'), '--progress', 'quiet', 'build']
  await timed('build', () => must('build the images', 'docker', build, BUILD_MS))
}

const onCluster = async (phases) => {
  await prepareOverlay()
  await buildImages()
  cluster = await timed('find or start a cluster', async () => openCluster(folder))
  env = { ...cluster.env, NODE_OPTIONS: '' }
  await loadImages(cluster.load)
  const passed = [await timed('from nothing to the first order confirmed', firstOrder), await spec('restricted')]
  if (phases.length > 0) await timed('shorten windows and roll', shorten)
  for (const phase of phases) passed.push(await (phase === 'suite' ? suite() : spec(phase)))
  const ok = passed.every(Boolean)
  if (!ok) await tell()
  return ok
}

/** The log pipeline's collector, on what a node gives it. */
const logs = async () => {
  await timed('find or build the collector', async () => collector())
  return spec('logs')
}

const runAll = async (phases) => {
  const passed = phases.includes('logs') ? [await logs()] : []
  if (!alone(phases)) passed.push(await onCluster(PHASES.filter((phase) => phase !== 'logs' && phases.includes(phase))))
  return passed.every(Boolean)
}

const tell = async () => {
  for (const args of [
    ['get', 'pods', '-o', 'wide'],
    ['get', 'events', '--sort-by=.lastTimestamp', '--field-selector=type=Warning'],
    ['logs', '-l', 'app.kubernetes.io/part-of=bahi', '--tail=25', '--prefix', '--max-log-requests=40', '--ignore-errors'],
  ])
    await run('kubectl', ['-n', NAMESPACE, ...args], 60_000)
}

let cluster
const stop = () => {
  for (const forward of forwards) {
    forward.stopped = true
    forward.child?.kill()
  }
  if (cluster && options.keep) return console.log(`left running: ${env.BAHI_E2E_URL}, KUBECONFIG=${env.KUBECONFIG}, state in ${folder}`)
  cluster?.stop()
  rmSync(folder, { recursive: true, force: true })
}

try {
  const phases = checkPhases()
  if (!alone(phases)) mustBeFound()
  await prepare()
  if (options.results) mkdirSync(options.results, { recursive: true })
  const ok = await runAll(phases)
  stop()
  process.exit(ok ? 0 : 1)
} catch (error) {
  if (cluster && !runner.interrupted) await tell().catch(() => undefined)
  stop()
  sayAndExit(error)
}
