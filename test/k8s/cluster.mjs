// The cluster that `npm run test:e2e:k8s` runs on: the one of KUBECONFIG, or one that the scripts in ../shared/kubernetes beside this checkout
// build and start, where they are there: build-tools, start-cluster (prints its KUBECONFIG), load-images and stop-cluster.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Refused, root } from '../../scripts/prepare.mjs'
import { release } from './enforce.mjs'

export const NAMESPACE = 'bahi'
const scripts = join(root, '../shared/kubernetes')
const tools = process.env.BAHI_TOOLS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'bahi-tools')
/** What a kubelet, or what starts one, sets on the machine and does not set back. */
const SETTINGS = ['net/ipv4/ip_forward', 'vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops']
const BUILD_MS = 40 * 60_000
const START_MS = 5 * 60_000
const LOAD_MS = 5 * 60_000
const STOP_MS = 2 * 60_000

const NONE = `there is no cluster to run on. Name one that has the images bahi/*:local by KUBECONFIG, for example:
  kind create cluster --kubeconfig ./kubeconfig && docker compose build
  kind load docker-image bahi/order-command:local bahi/order-query:local bahi/wallet:local bahi/payment-saga:local bahi/fraud:local bahi/front:local bahi/provider-sandbox:local
  KUBECONFIG=./kubeconfig npm run test:e2e:k8s`

const setting = (name) => join('/proc/sys', name)
const script = (name, args, timeout, env = process.env, stdout = 'inherit') => {
  const stdio = ['ignore', stdout, 'inherit']
  const { status, stdout: printed } = spawnSync(join(scripts, name), args, { timeout, encoding: 'utf8', env, stdio })
  if (status !== 0) throw new Refused(`${name} failed: see above`)
  return printed?.trim()
}

const given = (kubeconfig) => {
  const env = { ...process.env, KUBECONFIG: kubeconfig }
  const found = spawnSync('kubectl', ['get', 'namespace', NAMESPACE, '--ignore-not-found', '-o', 'name'], {
    env,
    encoding: 'utf8',
    timeout: 30_000,
  })
  if (found.error) throw new Refused('kubectl is needed, and is not on the PATH')
  if (found.status !== 0) throw new Refused(`the cluster of KUBECONFIG does not answer: ${found.stderr.trim().split('\n').at(-1)}`)
  // It would be changed, and removed in the end.
  if (found.stdout.trim() !== '')
    throw new Refused(`the cluster of KUBECONFIG has a namespace ${NAMESPACE} already: remove it, or name another cluster`)
  return {
    env,
    load: () => undefined,
    stop: () => spawnSync('kubectl', ['delete', 'namespace', NAMESPACE, '--ignore-not-found'], { env, stdio: 'inherit', timeout: STOP_MS }),
  }
}

const started = (folder) => {
  script('build-tools', [], BUILD_MS)
  const before = SETTINGS.map((name) => [name, readFileSync(setting(name), 'utf8')])
  // State of its own: what else runs by these scripts is not ours to stop.
  const path = [join(tools, 'bin'), process.env.PATH].join(delimiter)
  // No plugin for network policies runs there.
  const env = { ...process.env, BAHI_CLUSTER: join(folder, 'cluster'), BAHI_K8S_ENFORCE: 'true', PATH: path }
  const stop = () => {
    release()
    script('stop-cluster', [], STOP_MS, env)
    for (const [name, value] of before) writeFileSync(setting(name), value)
  }
  try {
    env.KUBECONFIG = script('start-cluster', [], START_MS, env, 'pipe')
    return { env, load: (images) => script('load-images', images, LOAD_MS, env), stop }
  } catch (error) {
    stop()
    throw error
  }
}

/**
 * `{ env, load(images), stop() }`: how kubectl finds it, how it gets what the Docker engine has built, and how all of it goes away again.
 * `folder` is for the state of one that is started.
 */
export const openCluster = (folder) => {
  if (process.env.KUBECONFIG) return given(process.env.KUBECONFIG)
  if (!existsSync(scripts)) throw new Refused(NONE)
  if (process.getuid?.() !== 0) throw new Refused('a node that runs pods needs root: run as root, or name a cluster by KUBECONFIG')
  return started(folder)
}

/** Said before anything is built for it. */
export const mustBeFound = () => {
  if (!process.env.KUBECONFIG && !existsSync(scripts)) throw new Refused(NONE)
}
