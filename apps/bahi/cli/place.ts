import { masterKeysOf, SUBJECT_KEYS_SCHEMA, typesByCategory, type AnyStreamType, type MasterKeys, type StreamTypes } from '#event-store'
import { createPool, type PostgresConfig } from '#postgres'
import { Option, type Command } from 'commander'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type pg from 'pg'
import { streamTypes as alertTypes } from '../../fraud/streams.js'
import { streamTypes as orderTypes } from '../../order-command/streams.js'
import { streamTypes as actTypes } from '../../order-query/streams.js'
import { streamTypes as sagaTypes } from '../../payment-saga/streams.js'
import { streamTypes as walletTypes } from '../../wallet/streams.js'
import { appUrl } from '../databases.js'
import type { Secrets } from '../home.js'
import { placePostgres } from '../postgres/placement.js'
import { Refused, type Io } from './io.js'

/** The apps that have an event store. */
export const STORES: Readonly<Record<string, { readonly schema: string; readonly types: readonly object[] }>> = {
  'order-command': { schema: 'order_command', types: orderTypes },
  'order-query': { schema: 'order_query', types: actTypes },
  wallet: { schema: 'wallet', types: walletTypes },
  'payment-saga': { schema: 'payment_saga', types: sagaTypes },
  fraud: { schema: 'fraud', types: alertTypes },
}

export interface PlaceOptions {
  readonly app: string
  readonly home: string
  readonly url?: string
  readonly schema?: string
}

/** Of every verb that looks into a store. */
export const withPlace = (command: Command, io: Io): Command =>
  withPlaceOfOne(command.addOption(new Option('--app <name>', 'whose store').choices(Object.keys(STORES)).default('wallet')), io)

/** Of every verb that is about one app alone. */
export const withPlaceOfOne = (command: Command, io: Io): Command =>
  command
    .addOption(homeOption(io))
    .addOption(urlOption(io, 'DATABASE_URL', 'the database of an app alone; without it, that of `npm start`'))
    .option('--schema <name>', "the app's schema, where it is not its own")

export const homeOption = ({ env }: Io): Option => new Option('--home <folder>', 'of `npm start`').default(env['BAHI_HOME'] ?? '.bahi')

/** Where an act is recorded whose effect is in no store. */
export const auditUrlOption = (io: Io): Option =>
  urlOption(io, 'DATABASE_URL', "order-command's database, for the audit trail; without it, that of `npm start`", '--audit-url <url>')

const urlOption = ({ env }: Io, variable: string, text: string, flags = '--url <url>'): Option => {
  const option = new Option(flags, `${text} (or ${variable})`)
  const given = env[variable]
  // Not shown by --help: it holds a password.
  return given === undefined ? option : option.default(given, `$${variable}`)
}

export interface Place {
  readonly pool: pg.Pool
  /** Where the pool goes, for those who need connections of their own. */
  readonly postgres: PostgresConfig
  readonly types: StreamTypes
}

/** Connects to an app's store for as long as `work` takes. */
export const atStore = async <T>(options: PlaceOptions, work: (place: Place) => Promise<T>, statementTimeout_ms?: number): Promise<T> => {
  const store = STORES[options.app]
  if (!store) throw new Refused(`${options.app} has no event store`)
  const schema = options.schema ?? store.schema
  const url = options.url ?? (await homeUrl(options.home, schema))
  const types = typesByCategory(store.types as readonly AnyStreamType[])
  return withPool(url, schema, (pool, postgres) => work({ pool, postgres, types }), statementTimeout_ms)
}

/** Connects to the read models of order-query. */
export const atReadModels = async <T>(
  { home, url, schema = 'order_query' }: Omit<PlaceOptions, 'app'>,
  work: (pool: pg.Pool) => Promise<T>,
): Promise<T> => withPool(url ?? (await homeUrl(home, schema)), schema, work)

/** Of every verb that works on the keys of persons. */
export const withKeysPlace = (command: Command, io: Io): Command =>
  command.addOption(homeOption(io)).addOption(urlOption(io, 'KEYS_DATABASE_URL', 'where the keys are; without it, those of `npm start`'))

export const atKeys = async <T>(
  { home, url }: Pick<PlaceOptions, 'home' | 'url'>,
  env: Io['env'],
  work: (pool: pg.Pool, masterKeys: MasterKeys) => Promise<T>,
): Promise<T> => {
  const secret = url === undefined ? secretsOf(home).masterKey : env['MASTER_KEY']
  if (!secret) throw new Refused('MASTER_KEY must be set, as the apps have it')
  const before = env['MASTER_KEYS_BEFORE']?.split(',').filter((each) => each !== '') ?? []
  const masterKeys = masterKeysOf(secret, ...before)
  return withPool(url ?? (await homeUrl(home, SUBJECT_KEYS_SCHEMA)), SUBJECT_KEYS_SCHEMA, (pool) => work(pool, masterKeys))
}

const withPool = async <T>(
  url: string,
  schema: string,
  work: (pool: pg.Pool, postgres: PostgresConfig) => Promise<T>,
  statementTimeout_ms = 30_000,
): Promise<T> => {
  const postgres = { url, schema, applicationName: 'bahi-cli', maxConnections: 2, statementTimeout_ms }
  const pool = createPool(postgres)
  try {
    return await work(pool, postgres)
  } finally {
    await pool.end()
  }
}

export const secretsOf = (home: string): Secrets => {
  const file = join(resolve(home), 'secrets.json')
  if (!existsSync(file)) throw new Refused(`nothing was started from ${resolve(home)}: start it by \`npm start\`, or say --home or --url`)
  return JSON.parse(readFileSync(file, 'utf8')) as Secrets
}

/** With the role that owns the schema. PostgreSQL writes its port into the third line after its pid. */
export const homeUrl = async (home: string, schema: string): Promise<string> => {
  const { databasePassword } = secretsOf(home)
  const { folder } = await placePostgres(resolve(home))
  const pidFile = join(folder, 'data/postmaster.pid')
  const port = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[3]) : 0
  if (!port) throw new Refused(`PostgreSQL of ${resolve(home)} does not run: start it by \`npm start\`, or set DATABASE_URL`)
  return appUrl(`postgres://127.0.0.1:${port}/`, schema, databasePassword)
}
