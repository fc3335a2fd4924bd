import { randomBytes } from 'node:crypto'
import { freePort, startKafka, type TestKafka } from '../support/kafka.mjs'
import { QUICK } from '../support/quick.mjs'
import { startRedis, type TestRedis } from '../support/redis.mjs'
import type { LogName } from '../../apps/bahi/cli/migrate-log/system.js'
import type { AppName } from '../../apps/front/routing-table.js'
import { makeDatabases, type OwnDatabases } from './databases.js'
import { startGateway, type Gateway } from './gateway.js'
import { run, startProcess, type AppProcess } from './processes.js'

export const SANDBOX = 'provider-sandbox'
export const APPS: readonly AppName[] = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud']

/** Which library speaks with the brokers, for a run of the suite by another than the default. */
const { KAFKA_CLIENT } = process.env

/** The platform as it is deployed: Kafka, or the log in a database of its own, a database per app, each app a process of its own, Redis. */
export interface Platform {
  readonly baseUrl: string
  readonly sandboxUrl: string
  readonly brokers: readonly string[]
  readonly databases: OwnDatabases
  replicas(app: AppName): readonly AppProcess[]
  /** One more of an app, known to the gateway. */
  add(app: AppName): Promise<AppProcess>
  /** One more of an app that publishes to this log and reads it. The gateway does not know it until it is taken on. */
  waiting(app: AppName, log: LogName): Promise<AppProcess>
  takeOn(app: AppName, replica: AppProcess): void
  /** The gateway sends it nothing more. */
  withdraw(replica: AppProcess): void
  environmentOf(app: string): Readonly<Record<string, string>>
  stop(): Promise<void>
  /** What the processes said, for when a test failed. */
  output(): readonly string[]
}

export const startPlatform = async (log: LogName = 'kafka'): Promise<Platform> => {
  const stops: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).toReversed()) await each().catch((error: unknown) => console.error(error))
  }
  try {
    return await start(log, stops, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

const start = async (log: LogName, stops: (() => Promise<unknown>)[], stop: () => Promise<void>): Promise<Platform> => {
  const databases = await makeDatabases([...APPS, SANDBOX, 'keys', 'log'])
  stops.push(() => databases.drop())
  const gateway = await startGateway()
  stops.push(() => gateway.close())
  const kafkaPort = await freePort()
  const redis = await startRedis()
  stops.push(() => redis.stop())
  const secrets = environment(gateway, kafkaPort, redis)
  const environmentOf = (app: string) => ({
    ...secrets,
    LOG: log,
    LOG_DATABASE_URL: databases.urlOf('log'),
    DATABASE_URL: databases.urlOf(app),
    KEYS_DATABASE_URL: databases.urlOf('keys'),
  })

  await Promise.all([...APPS, SANDBOX].map((app) => migrated(app, environmentOf(app))))

  const all: AppProcess[] = []
  stops.push(() => Promise.all(all.map((replica) => replica.stop())))
  const running = new Map<AppName, readonly AppProcess[]>()
  const started = async (app: string, env: Readonly<Record<string, string>>): Promise<AppProcess> => {
    const replica = await startProcess(app, env)
    all.push(replica)
    return replica
  }
  const route = (app: AppName): void =>
    void gateway.replicas.set(
      app,
      (running.get(app) ?? []).map(({ url }) => url),
    )
  // Payers' browsers go to its pages, so it must know its own address before it listens.
  const sandboxPort = String(await freePort())
  const sandboxUrl = `http://127.0.0.1:${sandboxPort}`
  await started(SANDBOX, { ...environmentOf(SANDBOX), PORT: sandboxPort, PUBLIC_URL: sandboxUrl })
  const waiting = (app: AppName, to: LogName) => started(app, { ...environmentOf(app), LOG: to, PROVIDER_URL: sandboxUrl })
  const takeOn = (app: AppName, replica: AppProcess): void => {
    running.set(app, [...(running.get(app) ?? []), replica])
    route(app)
  }
  const add = async (app: AppName): Promise<AppProcess> => {
    const replica = await waiting(app, log)
    takeOn(app, replica)
    return replica
  }
  // The apps come up beside the broker, as they do when everything is deployed at once: they wait for it, and race to make its topics.
  const broker = startKafka({ port: kafkaPort })
  stops.splice(1, 0, () => broker.then((kafka: TestKafka) => kafka.stop()))
  const [kafka] = await Promise.all([broker, ...APPS.map(add)])

  return {
    baseUrl: gateway.url,
    sandboxUrl,
    brokers: kafka.brokers,
    databases,
    replicas: (app) => running.get(app) ?? [],
    add,
    waiting,
    takeOn,
    withdraw(replica) {
      for (const [app, replicas] of running) {
        running.set(
          app,
          replicas.filter((each) => each !== replica),
        )
        route(app)
      }
    },
    environmentOf,
    stop,
    output: () => all.flatMap(({ app, output }) => output.map((line) => `${app}: ${line}`)),
  }
}

const environment = (gateway: Gateway, kafkaPort: number, redis: TestRedis): Readonly<Record<string, string>> => ({
  ...QUICK,
  LOG_LEVEL: 'warn',
  ...(KAFKA_CLIENT && { KAFKA_CLIENT }),
  KAFKA_BROKERS: `127.0.0.1:${kafkaPort}`,
  REDIS_URL: redis.url,
  JWKS_URL: `${gateway.url}/v1/dev/jwks`,
  JWT_ISSUER: 'bahi-test',
  DEV_ISSUER: 'true',
  MASTER_KEY: randomBytes(32).toString('base64'),
  FRAUD_HASH_KEY: randomBytes(32).toString('hex'),
  REGION: 'in-test',
  PROVIDER_API_KEY: randomBytes(32).toString('hex'),
  PROVIDER_WEBHOOK_SECRET: randomBytes(32).toString('hex'),
  PUBLIC_URL: gateway.url,
  WEBHOOK_URL: `${gateway.url}/v1/webhooks/sandbox`,
})

/** With the databases' addresses alone, as a job before a deployment would. */
const migrated = async (app: string, environment: Readonly<Record<string, string>>): Promise<void> => {
  const named = ['DATABASE_URL', 'KEYS_DATABASE_URL', 'LOG', 'LOG_DATABASE_URL'].map((name) => [name, environment[name] ?? ''])
  const { code, output } = await run(app, ['migrate'], Object.fromEntries(named) as Record<string, string>)
  if (code !== 0) throw new Error(`${app} was not migrated (${code}):\n${output.join('\n')}`)
}
