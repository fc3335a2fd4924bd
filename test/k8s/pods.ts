import { spawn } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { NAMESPACE } from './cluster.mjs'

const TIMEOUT_MS = 10 * 60_000

/** What kubectl prints, in the namespace of the platform that `npm run test:e2e:k8s` has applied; its complaint is in the error when it refuses. */
export const kubectl = (args: readonly string[], input = ''): Promise<string> => {
  if (!process.env['KUBECONFIG']) throw new Error('KUBECONFIG is not set: run the suite through `npm run test:e2e:k8s`')
  return new Promise((resolve, reject) => {
    const child = spawn('kubectl', ['-n', NAMESPACE, ...args], { timeout: TIMEOUT_MS })
    let printed = ''
    let complained = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(printed.trim()) : reject(new Error(`kubectl ${args.join(' ')}: ${complained.trim()}`)),
    )
    child.stdin.end(input)
  })
}

interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** Names of an app's pods that are ready and stay. */
export const readyPodsOf = async (app: string): Promise<readonly string[]> => {
  const { items } = JSON.parse(await kubectl(['get', 'pods', '-l', `app.kubernetes.io/name=${app}`, '-o', 'json'])) as {
    items: readonly Pod[]
  }
  return items
    .filter(
      ({ metadata, status }) =>
        !metadata.deletionTimestamp && status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    )
    .map(({ metadata }) => metadata.name)
}

/** Waits for so many ready pods, none of which is one of those `gone`; fails after `timeout_ms`. */
export const readyAgain = async (
  app: string,
  count: number,
  gone: readonly string[] = [],
  timeout_ms = 240_000,
): Promise<readonly string[]> => {
  const until = Date.now() + timeout_ms
  for (;;) {
    const ready = (await readyPodsOf(app)).filter((name) => !gone.includes(name))
    if (ready.length === count) return ready
    if (Date.now() > until)
      throw new Error(
        `${app} has ${ready.length} ready pods, not ${count}, after ${timeout_ms} ms:\n${await kubectl(['get', 'pods', '-o', 'wide'])}`,
      )
    await wait(500)
  }
}

/** Without its grace: what was under way in it is lost, within the kubelet's two seconds. A StatefulSet's comes back by the same name. */
export const kill = (pod: string): Promise<string> => kubectl(['delete', 'pod', pod, '--grace-period=0', '--force', '--wait=true'])
