import { BACKLOG } from './http-server.js'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'

/** How long a stop may take before the process ends anyway: under Kubernetes' 30 s. */
const DRAIN_LIMIT_MS = 25_000

export interface Standalone {
  readonly name: string
  readonly port: number
  /** Every address unless given. */
  readonly host?: string
}

/**
 * For `main.ts`: starts the app and its consumers, listens, prints one line, and drains on SIGTERM and SIGINT: no new connections, what is
 * under way is finished, then Nest's shutdown hooks run. Exits 1 with one line when it cannot start.
 */
export const runStandalone = async (
  create: () => Promise<NestFastifyApplication>,
  { name, port, host = '0.0.0.0' }: Standalone,
): Promise<void> => {
  try {
    const app = await create()
    await app.startAllMicroservices()
    await app.listen({ port, host, backlog: BACKLOG })
    process.stdout.write(`${name} listens on ${await app.getUrl()}\n`)
    stopOnSignals(app, name)
  } catch (error) {
    process.stderr.write(`${name} cannot start: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

const stopOnSignals = (app: NestFastifyApplication, name: string): void => {
  let stopping = false
  const stop = (): void => {
    // A second signal means that somebody is waiting: end now.
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => {
      process.stderr.write(`${name} did not stop within ${DRAIN_LIMIT_MS} ms\n`)
      process.exit(1)
    }, DRAIN_LIMIT_MS).unref()
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${name} stopped badly: ${error instanceof Error ? error.message : String(error)}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}
