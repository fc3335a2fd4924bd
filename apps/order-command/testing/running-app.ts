import { encodeMessage, logMigrations, postgresLog, decodeMessage, type LogDriver } from '#messaging'
import { systemClock, type Clock, type IncomingMessage, type OutgoingMessage } from '#kernel'
import { parseConfig, type Role } from '#platform'
import { testTokens, type TestTokens } from '#platform/testing'
import { createPool, migrate } from '#postgres'
import { CONTRACTS } from '#contracts'
import { masterKeysOf, pgSubjectKeys, SUBJECT_KEYS_SCHEMA, subjectKeyMigrations, type SubjectKeys } from '#event-store'
import { createTestDatabase, type TestDatabase } from '#postgres/testing'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type pg from 'pg'
import { createOrderCommandApp } from '../app.js'
import { migrations } from '../migrations.js'
import { orderCommandConfig } from '../order-command.config.js'

export const MASTER_KEY = Buffer.alloc(32, 7).toString('base64url')

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly body: Record<string, unknown>
}

export interface Surroundings {
  /** Where the app is to find the keys of persons, for a test that puts something in between. */
  readonly keysBy?: (databaseUrl: string) => Promise<string>
  readonly clock?: Clock
}

export interface Call {
  readonly as?: { readonly sub: string; readonly roles?: readonly Role[] }
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** The app with a real database and log. `close` drops both. */
export class RunningApp {
  readonly heard: IncomingMessage[] = []
  /** As another process has them. */
  readonly subjectKeys: SubjectKeys
  /** On the app's own schema. */
  readonly pool: pg.Pool
  readonly #keyPool: pg.Pool
  #sent = 0n

  private constructor(
    readonly app: NestFastifyApplication,
    readonly database: TestDatabase,
    readonly driver: LogDriver,
    private readonly tokens: TestTokens,
  ) {
    this.pool = createPool({ ...database, maxConnections: 1 })
    this.#keyPool = createPool({ ...database, schema: SUBJECT_KEYS_SCHEMA, maxConnections: 1 })
    this.subjectKeys = pgSubjectKeys(this.#keyPool, masterKeysOf(MASTER_KEY), systemClock)
  }

  static async start(env: Readonly<Record<string, string>> = {}, { keysBy, clock = systemClock }: Surroundings = {}): Promise<RunningApp> {
    const tokens = await testTokens()
    const database = await createTestDatabase(migrations, 'order_command')
    await migrate({ url: database.url, schema: 'log', migrations: logMigrations })
    await migrate({ url: database.url, schema: SUBJECT_KEYS_SCHEMA, migrations: subjectKeyMigrations })
    const config = parseConfig(orderCommandConfig, {
      DATABASE_URL: database.url,
      KEYS_DATABASE_URL: keysBy ? await keysBy(database.url) : database.url,
      MASTER_KEY,
      FRAUD_HASH_KEY: 'f'.repeat(32),
      REGION: 'in-test',
      RATE_LIMIT_PER_SECOND: '1000000',
      RATE_LIMIT_BURST: '1000000',
      LOG_LEVEL: 'silent',
      ...tokens.config,
      ...env,
    })
    const driver = postgresLog({ url: database.url })
    const app = await createOrderCommandApp(config, { driver, keys: tokens.keys, clock })
    await app.startAllMicroservices()
    await app.init()
    await app.getHttpAdapter().getInstance().ready()
    const running = new RunningApp(app, database, driver, tokens)
    await running.#listen()
    return running
  }

  /** Everything that the app publishes. */
  async #listen(): Promise<void> {
    await this.driver.consume({
      group: 'test',
      topics: ['orders.events', 'catalogue.events', 'stock.events', 'replies'],
      maxBatch: 500,
      startOffset: () => Promise.resolve(0n),
      onBatch: async (_partition, records) => void this.heard.push(...records.map(decodeMessage)),
    })
  }

  async call(method: 'GET' | 'POST' | 'PUT', url: string, { as, headers = {}, body }: Call = {}): Promise<Answer> {
    const authorization = as ? await this.tokens.as(as.sub, ...(as.roles ?? ['customer'])) : {}
    const response = await this.app.inject({
      method,
      url,
      headers: { ...authorization, ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    })
    const text = response.body
    return {
      status: response.statusCode,
      headers: response.headers as Record<string, string>,
      text,
      body: text === '' ? {} : JSON.parse(text),
    }
  }

  /** Puts messages on the log as another app would. */
  async send(...messages: readonly OutgoingMessage[]): Promise<void> {
    const producer = await this.driver.producer()
    const records = messages.map((message) =>
      encodeMessage(message, 'payment-saga', Date.now(), { incarnation: 'test', position: ++this.#sent, ordinal: 0 }),
    )
    await producer.send(records)
    await producer.close()
  }

  heardOf(type: string, key?: string): readonly IncomingMessage[] {
    return this.heard.filter((message) => message.type === type && (key === undefined || message.key === key))
  }

  /** What of all that was heard breaks its contract. */
  brokenContracts(): readonly string[] {
    const contracts = new Map(CONTRACTS.map((contract) => [contract.type, contract]))
    return this.heard.flatMap(({ type, topic, data }) => {
      const contract = contracts.get(type)
      if (contract?.topic !== topic) return [`${type} on ${topic}`]
      try {
        contract.parse(data)
        return []
      } catch (error) {
        return [String(error)]
      }
    })
  }

  async close(): Promise<void> {
    await this.app.close()
    await this.driver.close()
    await this.pool.end()
    await this.#keyPool.end()
    await this.database.drop()
  }
}
