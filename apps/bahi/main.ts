import 'reflect-metadata'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { Listr } from 'listr2'
import { systemIds } from '#kernel'
import { answerHttpErrors, CONNECTION_TIMEOUT_MS, HTTP_SERVER } from '#platform'
import { appDatabases, startApps, type RunningApps } from './compose.js'
import { appUrl, prepareDatabases } from './databases.js'
import { lockHome, openHome, readSecrets, StartRefused } from './home.js'
import { placePostgres } from './postgres/placement.js'
import { removePostgres, startPostgres, type RunningPostgres } from './postgres/server.js'
import { welcome } from './welcome.js'

const STOP_TIMEOUT_MS = 30_000

const port = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError('a port is a whole number from 0 to 65535')
  return value
}

const options = new Command('npm start --')
  .description('The whole platform in one process: PostgreSQL in a folder, the five apps and the payment provider sandbox.')
  .option('--port <number>', 'where to listen; 0 takes any free port', port, port(process.env['PORT'] || '3000'))
  .option('--home <folder>', 'where data and keys are kept', process.env['BAHI_HOME'] || '.bahi')
  .option('--reset', 'throw away all data first')
  .option('--json', 'print one line of JSON when ready, instead of text')
  .parse()
  .opts<{ port: number; home: string; reset?: true; json?: true }>()

/** Taken first, so that a port in use is said before anything is started. Until the apps are there it answers 503. */
const listen = (): Promise<Server> =>
  new Promise((done, failed) => {
    const server = createServer(HTTP_SERVER, (_request, response) => {
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' })
      response.end(
        JSON.stringify({
          type: '/problems/starting',
          title: 'Starting',
          status: 503,
          detail: 'The platform is starting: try again in a second.',
        }),
      )
    })
    server.setTimeout(CONNECTION_TIMEOUT_MS)
    server.on('clientError', (error: Error, socket) => answerHttpErrors(error, socket as Socket))
    server.on('error', (error: NodeJS.ErrnoException) =>
      failed(
        error.code === 'EADDRINUSE'
          ? new StartRefused(`port ${options.port} is taken: stop what uses it, or choose another with PORT=3001 npm start`)
          : error,
      ),
    )
    server.listen(options.port, () => done(server))
  })

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : options.port
}

const state: { server?: Server; postgres?: RunningPostgres; apps?: RunningApps; unlock?: () => void } = {}
let stopping: Promise<void> | undefined

/** Backwards: first nothing new comes in, then the apps finish what they have, then the database. */
const stop = async (): Promise<void> => {
  const closed = new Promise<void>((done) => (state.server ? state.server.close(() => done()) : done()))
  state.server?.closeIdleConnections()
  await Promise.race([closed, new Promise((done) => setTimeout(done, 2_000).unref())])
  state.server?.closeAllConnections()
  await state.apps?.stop()
  await state.postgres?.stop()
  state.unlock?.()
}

const stopAndExit = (code: number): void => {
  stopping ??= (async () => {
    const timer = setTimeout(() => process.exit(1), STOP_TIMEOUT_MS)
    await stop().catch((error: unknown) => console.error(error))
    clearTimeout(timer)
    process.exit(code)
  })()
}

const start = async (): Promise<string> => {
  const home = resolve(options.home)
  openHome(home)
  state.unlock = lockHome(home)
  const server = (state.server = await listen())
  const secrets = readSecrets(home)
  const baseUrl = `http://localhost:${portOf(server)}`

  const placement = await placePostgres(home)
  const stages = new Listr(
    [
      {
        title: 'Throw away all data',
        enabled: () => options.reset === true,
        task: () => removePostgres(placement).then(() => placePostgres(home)),
      },
      {
        title: 'PostgreSQL',
        task: async (_, task) => {
          state.postgres = await startPostgres(placement)
          task.title = `PostgreSQL (${state.postgres.how}, in ${join(placement.folder, 'data')})`
        },
      },
      {
        title: 'Migrations',
        task: async (_, task) => {
          const ran = await prepareDatabases(postgresUrl(), secrets.databasePassword, appDatabases)
          task.title = `Migrations (${ran === 0 ? 'nothing to do' : `${ran} ran`})`
        },
      },
      {
        title: 'Apps',
        task: async (_, task) => {
          state.apps = await startApps({
            baseUrl: `http://127.0.0.1:${portOf(server)}`,
            secrets,
            databaseUrl: (schema) => appUrl(postgresUrl(), schema, secrets.databasePassword),
            env: process.env,
          })
          server.removeAllListeners('request')
          server.on('request', state.apps.listener)
          task.title = `Apps (${state.apps.names.join(', ')})`
        },
      },
    ],
    { renderer: options.json ? 'silent' : 'default', fallbackRenderer: 'simple', rendererOptions: { collapseSubtasks: false } },
  )
  await stages.run()
  return baseUrl
}

const postgresUrl = (): string => {
  if (!state.postgres) throw new Error('PostgreSQL has not been started')
  return state.postgres.url
}

const tokenFrom = async (baseUrl: string): Promise<string> => {
  const response = await fetch(`${baseUrl}/v1/dev/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sub: 'c-1', roles: ['customer', 'merchant'] }),
    signal: AbortSignal.timeout(10_000),
  })
  return ((await response.json()) as { accessToken: string }).accessToken
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopAndExit(0))

try {
  const baseUrl = await start()
  console.log(options.json ? JSON.stringify({ ready: true, baseUrl }) : `\n${welcome(baseUrl, await tokenFrom(baseUrl), systemIds.next())}`)
} catch (error) {
  console.error(error instanceof StartRefused ? `bahi: ${error.message}` : error)
  stopAndExit(1)
}
