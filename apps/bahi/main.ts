import 'reflect-metadata'
import type { Server } from 'node:http'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { Listr } from 'listr2'
import { systemIds } from '#kernel'
import { appDatabases, startApps, type RunningApps } from './compose.js'
import { appUrl, prepareDatabases, releaseLeases } from './databases.js'
import { lockHome, openHome, readSecrets, StartRefused } from './home.js'
import { listen, portOf } from './listen.js'
import { placePostgres, type Placement } from './postgres/placement.js'
import { removePostgres, startPostgres, type RunningPostgres } from './postgres/server.js'
import { supervisePostgres } from './postgres/supervise.js'
import { welcome } from './welcome.js'

const STOP_TIMEOUT_MS = 30_000

const port = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('A port is a whole number from 0 to 65535.')
  return value
}

const options = new Command('npm start --')
  .description('The whole platform in one process: PostgreSQL in a folder, the five apps and the payment provider sandbox.')
  .addOption(
    new Option('--host <address>', 'where to listen; anybody who reaches it can have a token of any role').env('HOST').default('127.0.0.1'),
  )
  .addOption(new Option('--port <number>', 'where to listen; 0 takes any free port').env('PORT').default(3000).argParser(port))
  .addOption(new Option('--home <folder>', 'where data and keys are kept').env('BAHI_HOME').default('.bahi'))
  .option('--reset', 'throw away all data first')
  .option('--json', 'print one line of JSON when ready, instead of text')
  .allowExcessArguments(false)
  .parse()
  .opts<{ host: string; port: number; home: string; reset?: true; json?: true }>()

interface Running {
  unlock?: () => void
  server?: Server
  postgres?: RunningPostgres
  supervisor?: { stop(): Promise<void> }
  apps?: RunningApps
}

const state: Running = {}
let starting: Promise<string> | undefined
let stopping: Promise<void> | undefined

/** Backwards: first nothing new comes in, then the apps finish what they have, then the database. */
const stop = async (): Promise<void> => {
  // A stage under way is let end: killed halfway, what it started would be left behind.
  await starting?.catch(() => undefined)
  const closed = new Promise<void>((done) => (state.server ? state.server.close(() => done()) : done()))
  state.server?.closeIdleConnections()
  await Promise.race([closed, new Promise((done) => setTimeout(done, 2_000).unref())])
  state.server?.closeAllConnections()
  await state.supervisor?.stop()
  try {
    await state.apps?.stop()
  } finally {
    await state.postgres?.stop()
    state.unlock?.()
  }
}

const stopAndExit = (code: number): void => {
  stopping ??= (async () => {
    const timer = setTimeout(() => process.exit(1), STOP_TIMEOUT_MS)
    const failure: unknown = await stop().catch((error: unknown) => error ?? new Error('stopping failed'))
    clearTimeout(timer)
    if (failure) console.error(failure)
    process.exit(failure ? 1 : code)
  })()
}

/** PostgreSQL runs in the background of this process: when it ends by itself nobody else would start it again. */
const supervise = (placement: Placement, { url, port }: RunningPostgres): { stop(): Promise<void> } =>
  supervisePostgres({
    url,
    ensure: () => startPostgres(placement, port),
    onRestarted: (after_ms) => console.error(`bahi: PostgreSQL had ended by itself and was started again in ${Math.round(after_ms)} ms`),
    onGivenUp: (error) => {
      console.error('bahi: PostgreSQL has ended and does not start again:', error)
      stopAndExit(1)
    },
  })

const goOn = (): void => {
  if (stopping) throw new StartRefused('stopped while starting')
}

/** Older ones lack what the libraries use, and would fail in the middle of the work. `npm start` brings the right one. */
const LEAST_NODE = 24

const start = async (): Promise<string> => {
  if (Number.parseInt(process.versions.node, 10) < LEAST_NODE)
    throw new StartRefused(`this is Node ${process.versions.node}, and the apps need ${LEAST_NODE} or newer: start them by \`npm start\``)
  const home = resolve(options.home)
  openHome(home)
  state.unlock = lockHome(home)
  const server = (state.server = await listen(options.port, options.host))
  const secrets = readSecrets(home)
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
          goOn()
          state.postgres = await startPostgres(placement)
          state.supervisor = supervise(placement, state.postgres)
          task.title = `PostgreSQL (${state.postgres.how}, in ${join(placement.folder, 'data')})`
        },
      },
      {
        title: 'Migrations',
        task: async (_, task) => {
          goOn()
          const ran = await prepareDatabases(postgresUrl(), secrets.databasePassword, appDatabases)
          await releaseLeases(postgresUrl(), appDatabases)
          task.title = `Migrations (${ran === 0 ? 'nothing to do' : `${ran} ran`})`
        },
      },
      {
        title: 'Apps',
        task: async (_, task) => {
          goOn()
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
    {
      renderer: options.json ? 'silent' : 'default',
      fallbackRenderer: 'simple',
      rendererOptions: { collapseSubtasks: false },
      // Its own would end the process at Ctrl-C, and leave PostgreSQL behind.
      registerSignalListeners: false,
    },
  )
  await stages.run()
  return `http://localhost:${portOf(server)}`
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
process.on('uncaughtException', (error) => {
  console.error('bahi: a mistake in the platform; it stops:', error)
  stopAndExit(1)
})

try {
  starting = start()
  const baseUrl = await starting
  console.log(
    options.json
      ? JSON.stringify({ ready: true, baseUrl })
      : `\n${welcome(baseUrl, resolve(options.home), await tokenFrom(baseUrl), systemIds.next())}`,
  )
} catch (error) {
  if (!stopping) console.error(error instanceof StartRefused ? `bahi: ${error.message}` : error)
  stopAndExit(1)
}
