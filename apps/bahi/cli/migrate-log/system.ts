import type { LogDriver } from '#messaging'
import { InvalidConfig, parseConfig } from '#platform'
import { createPool } from '#postgres'
import { logSettings, openLog, type LogPlace } from '#service'
import type pg from 'pg'
import { PATIENTS } from '../patients.js'
import { Refused, type Io } from '../io.js'

export type LogName = LogPlace['LOG']

/** An app of the system that is moved: its database, and the consumer group that has its name. */
export interface MovedApp {
  readonly name: string
  readonly pool: pg.Pool
  /** It has a store that a relay publishes from. */
  readonly publishes: boolean
}

export interface System {
  readonly apps: readonly MovedApp[]
  readonly from: LogDriver
  readonly to: LogDriver
}

/** What of the environment says where everything is, for `--help`. */
export const ENVIRONMENT = [
  'Environment:',
  ...Object.keys(PATIENTS).map((app) => `  ${variableOf(app, 'URL').padEnd(34)}the database of ${app}, as its DATABASE_URL`),
  `  ${'<APP>_DATABASE_SCHEMA'.padEnd(34)}where it is not the app's own`,
  `  ${'LOG_DATABASE_URL'.padEnd(34)}where the log in PostgreSQL is`,
  `  ${'KAFKA_BROKERS, KAFKA_TLS, …'.padEnd(34)}how Kafka is reached, as the apps have it`,
].join('\n')

function variableOf(app: string, what: 'URL' | 'SCHEMA'): string {
  return `${app.toUpperCase().replaceAll('-', '_')}_DATABASE_${what}`
}

/** All of the system, for as long as `work` takes. Nothing is connected before it is asked. */
export const atSystem = async <T>(env: Io['env'], to: LogName, work: (system: System) => Promise<T>): Promise<T> => {
  const urls = Object.keys(PATIENTS).map((app) => [app, env[variableOf(app, 'URL')]] as const)
  const missing = urls.filter(([, url]) => !url).map(([app]) => variableOf(app, 'URL'))
  if (missing.length > 0) throw new Refused(`must be set: ${missing.join(', ')}. \`npm start\` has its log in PostgreSQL, always`)
  const logs = { postgres: await open(env, 'postgres'), kafka: await open(env, 'kafka') }
  const apps = urls.map(([name, url = '']) => {
    const { schema, publishes } = PATIENTS[name as keyof typeof PATIENTS]
    const place = { url, schema: env[variableOf(name, 'SCHEMA')] ?? schema, applicationName: 'bahi-cli' }
    return { name, publishes, pool: createPool({ ...place, maxConnections: 2, statementTimeout_ms: 30_000 }) }
  })
  try {
    return await work({ apps, to: logs[to], from: logs[to === 'kafka' ? 'postgres' : 'kafka'] })
  } finally {
    await Promise.all(apps.map(({ pool }) => pool.end()))
    await Promise.all(Object.values(logs).map((log) => log.close().catch(() => undefined)))
  }
}

const open = async (env: Io['env'], LOG: LogName): Promise<LogDriver> => {
  try {
    const place = parseConfig(logSettings, { ...env, LOG })
    const { LOG_DATABASE_URL } = place
    if (LOG_DATABASE_URL === undefined) throw new InvalidConfig('LOG_DATABASE_URL: must be set')
    return await openLog('bahi-cli', { ...place, DATABASE_URL: LOG_DATABASE_URL })
  } catch (error) {
    throw error instanceof InvalidConfig ? new Refused(error.message) : error
  }
}
