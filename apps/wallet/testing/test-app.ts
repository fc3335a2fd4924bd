import { SUBJECT_KEYS_SCHEMA, subjectKeyMigrations } from '#event-store'
import { logMigrations, postgresLog, type LogDriver } from '#messaging'
import { type Role } from '#platform'
import { testTokens } from '#platform/testing'
import { migrate } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { createWalletApp } from '../app.js'
import { migrations } from '../migrations.js'
import type { WalletConfig } from '../wallet.config.js'

export interface Call {
  readonly as?: readonly [sub: string, ...roles: Role[]]
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  /** The body as JSON, by dotted path: `at('wallet.available.amount')`. */
  at(path: string): unknown
}

export interface TestWallet {
  readonly app: NestFastifyApplication
  readonly driver: LogDriver
  readonly config: WalletConfig
  /** The app's database, with nothing in between. */
  readonly databaseUrl: string
  call(method: 'GET' | 'POST' | 'PUT', path: string, call?: Call): Promise<Answer>
  /** Opens a full wallet with this much in it, in rupees; answers its id. */
  wallet(ownerId: string, rupees: number, kyc?: 'small' | 'full'): Promise<string>
  /** Another process's app on the same database. */
  second(): Promise<Pick<TestWallet, 'call' | 'app'>>
  close(): Promise<void>
}

/** How often a caller comes again who is told to, which a busy machine may say to many at once. */
const MOST_TRIES = 50

export const inr = (rupees: number) => ({ amount: String(Math.round(rupees * 100)), currency: 'INR' })

/** The production app on a database of its own, with the log beside it in PostgreSQL. */
export const startTestWallet = async (
  more: Partial<WalletConfig> = {},
  /** Where the app is to find its database, for a test that puts something in between. */
  by: (databaseUrl: string) => Promise<string> = (databaseUrl) => Promise.resolve(databaseUrl),
  /** Whether a call that is answered 503 is sent again under its key; not where that answer is what is looked for. */
  { patient = true } = {},
): Promise<TestWallet> => {
  const database = await createTestDatabase(migrations, 'wallet')
  await migrate({ url: database.url, schema: 'log', migrations: logMigrations })
  await migrate({ url: database.url, schema: SUBJECT_KEYS_SCHEMA, migrations: subjectKeyMigrations })
  const tokens = await testTokens()
  const config: WalletConfig = {
    NODE_ENV: 'test',
    PORT: 0,
    DATABASE_URL: await by(database.url),
    DATABASE_SCHEMA: 'wallet',
    DATABASE_CONNECTIONS: 6,
    LOG: 'postgres',
    LOG_DATABASE_URL: database.url,
    KEYS_DATABASE_URL: database.url,
    ...tokens.config,
    DEV_ISSUER: false,
    MASTER_KEY: 'A'.repeat(43),
    FRAUD_HASH_KEY: 'k'.repeat(32),
    REGION: 'in-test',
    RATE_LIMIT_PER_SECOND: 100_000,
    RATE_LIMIT_BURST: 100_000,
    LOG_LEVEL: 'silent',
    HOLD_EXPIRY_POLL_MS: 20,
    ...more,
  }
  const start = async () => {
    const app = await createWalletApp(config, { keys: tokens.keys })
    await app.startAllMicroservices()
    await app.init()
    return app
  }
  let keys = 0
  const caller =
    (app: NestFastifyApplication): TestWallet['call'] =>
    async (method, path, { as, key, headers = {}, body } = {}) => {
      const [sub, ...roles]: readonly [string, ...Role[]] = as ?? ['ops', 'admin']
      const request = {
        method,
        url: path,
        headers: {
          ...(await tokens.as(sub, ...roles)),
          ...(key === null || method === 'GET' ? {} : { 'idempotency-key': key ?? `key-${++keys}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      }
      let response = await app.inject(request)
      for (let tries = 1; patient && response.statusCode === 503 && tries < MOST_TRIES; tries++) response = await app.inject(request)
      const at = (name: string): unknown =>
        name.split('.').reduce<unknown>((value, part) => {
          return typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined
        }, response.json())
      return { status: response.statusCode, headers: response.headers, text: response.body, at }
    }
  const app = await start()
  const call = caller(app)
  const driver = postgresLog({ url: database.url })
  const others: NestFastifyApplication[] = []
  return {
    app,
    driver,
    config,
    databaseUrl: database.url,
    call,
    async wallet(ownerId, rupees, kyc = 'full') {
      const opened = await call('POST', '/v1/wallets', { body: { ownerId, kyc } })
      const id = String(opened.at('walletId'))
      if (rupees > 0) await call('POST', `/v1/wallets/${id}/credits`, { body: { amount: inr(rupees), reference: 'first' } })
      return id
    },
    async second() {
      const other = await start()
      others.push(other)
      return { app: other, call: caller(other) }
    },
    async close() {
      for (const other of others) await other.close()
      await app.close()
      await driver.close()
      await database.drop()
    },
  }
}
