import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** A build takes longest. */
const TIMEOUT_MS = 10 * 60_000

/** The project that `npm run test:e2e:compose` has started. */
export const project = (): string => {
  const name = process.env['COMPOSE_PROJECT_NAME']
  if (!name) throw new Error('COMPOSE_PROJECT_NAME is not set: run the suite through `npm run test:e2e:compose`')
  return name
}

export const docker = async (...args: readonly string[]): Promise<string> =>
  (await run('docker', [...args], { timeout: TIMEOUT_MS })).stdout.trim()

/** Ids of a service's running containers. */
export const containersOf = async (service: string): Promise<readonly string[]> => {
  const labels = [`com.docker.compose.project=${project()}`, `com.docker.compose.service=${service}`, 'com.docker.compose.oneoff=False']
  const ids = await docker('ps', '--quiet', ...labels.flatMap((label) => ['--filter', `label=${label}`]))
  return ids === '' ? [] : ids.split('\n')
}

/** What a command in the container prints; its output is in the error when it fails. */
export const exec = (id: string, ...command: readonly string[]): Promise<string> => docker('exec', id, ...command)

/** All that a container has written, on both of its outputs. */
export const outputOf = async (id: string): Promise<string> => {
  const { stdout, stderr } = await run('docker', ['logs', id], { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 })
  return stdout + stderr
}

const READY_TIMEOUT_MS = 180_000
/** The engine gives a check seven seconds; to begin one takes some more. */
const CHECK_TIMEOUT_MS = 10_000
const BETWEEN_CHECKS_MS = 1_000

/** The container's own health check as it is configured, run now: the engine looks every eight seconds. */
const checkOf = async (id: string): Promise<() => Promise<boolean>> => {
  const [kind, ...words] = JSON.parse(await docker('inspect', '--format', '{{json .Config.Healthcheck.Test}}', id)) as string[]
  if ((kind !== 'CMD' && kind !== 'CMD-SHELL') || words.length === 0) throw new Error(`${id} has no health check`)
  const command = kind === 'CMD' ? words : ['/bin/sh', '-c', ...words]
  return () =>
    run('docker', ['exec', id, ...command], { timeout: CHECK_TIMEOUT_MS }).then(
      () => true,
      () => false,
    )
}

/** Answers how long after its start the container was ready. */
export const untilReady = async (id: string): Promise<number> => {
  const started = Date.parse(await docker('inspect', '--format', '{{.State.StartedAt}}', id))
  const check = await checkOf(id)
  for (;;) {
    const ready = await check()
    const passed_ms = Date.now() - started
    if (ready) return passed_ms
    if (passed_ms > READY_TIMEOUT_MS)
      throw new Error(`${id} is not ready after ${passed_ms} ms:\n${await docker('logs', '--tail', '40', id)}`)
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_CHECKS_MS))
  }
}

/** SIGTERM, the service's `stop_grace_period`, a start: a rolling restart of one replica. Answers how long after its start it was ready. */
export const restartUntilReady = async (id: string): Promise<number> => {
  await docker('restart', id)
  return untilReady(id)
}

/** SIGKILL, then a start: the engine takes `docker kill` for a stop by hand, which its restart policy does not undo. */
export const killAndStart = async (id: string): Promise<void> => {
  await docker('kill', '--signal', 'KILL', id)
  await docker('start', id)
}

export const healthOf = (id: string): Promise<string> => docker('inspect', '--format', '{{.State.Status}} {{.State.Health.Status}}', id)

export const healthy = async (id: string, timeout_ms = 180_000): Promise<void> => {
  const until = Date.now() + timeout_ms
  for (;;) {
    const health = await healthOf(id)
    if (health === 'running healthy') return
    if (Date.now() > until) throw new Error(`${id} is ${health} after ${timeout_ms} ms:\n${await docker('logs', '--tail', '40', id)}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
