import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const TIMEOUT_MS = 60_000

/** The project that `npm run test:e2e:compose` has started. */
const project = (): string => {
  const name = process.env['COMPOSE_PROJECT_NAME']
  if (!name) throw new Error('COMPOSE_PROJECT_NAME is not set: run the suite through `npm run test:e2e:compose`')
  return name
}

const docker = async (...args: readonly string[]): Promise<string> =>
  (await run('docker', [...args], { timeout: TIMEOUT_MS })).stdout.trim()

/** Ids of a service's running containers. */
export const containersOf = async (service: string): Promise<readonly string[]> => {
  const labels = [`com.docker.compose.project=${project()}`, `com.docker.compose.service=${service}`, 'com.docker.compose.oneoff=False']
  const ids = await docker('ps', '--quiet', ...labels.flatMap((label) => ['--filter', `label=${label}`]))
  return ids === '' ? [] : ids.split('\n')
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
