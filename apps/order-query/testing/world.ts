import { masterKeysOf, pgSubjectKeys, seal, SUBJECT_KEYS_SCHEMA, subjectKeyMigrations } from '#event-store'
import { systemClock, type IncomingMessage } from '#kernel'
import { encodeMessage, logMigrations, postgresLog } from '#messaging'
import { parseConfig, type ConsistencyToken, type Role } from '#platform'
import { ConsistencyToken as Token } from '#platform'
import { testTokens } from '#platform/testing'
import { createPool, migrate } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { projector, typeormTransactions, type RowStore } from '#projections'
import { DataSource } from 'typeorm'
import type { ServiceParts } from '#service'
import { createOrderQueryApp } from '../app.js'
import { migrations } from '../migrations.js'
import { orderQueryConfig } from '../order-query.config.js'
import { orderQueryProjection } from '../projection.js'
import { ROWS } from '../tokens.js'

const MASTER_KEY = Buffer.alloc(32, 7).toString('base64')

export interface GetOptions {
  readonly as?: readonly [sub: string, ...roles: Role[]]
  readonly token?: ConsistencyToken | string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Record<string, unknown> & { readonly items?: Record<string, unknown>[]; readonly nextCursor?: string | null }
}

/** The app on a database of its own, not listening: read by `get`, fed by `feed` as its consumers are. */
export const openWorld = async (parts: ServiceParts = {}, env: Readonly<Record<string, string>> = {}) => {
  const database = await createTestDatabase(migrations, 'order_query')
  await migrate({ url: database.url, schema: 'log', migrations: logMigrations })
  await migrate({ url: database.url, schema: SUBJECT_KEYS_SCHEMA, migrations: subjectKeyMigrations })
  const keyPool = createPool({ ...database, schema: SUBJECT_KEYS_SCHEMA, maxConnections: 1 })
  const keys = pgSubjectKeys(keyPool, masterKeysOf(MASTER_KEY), systemClock)
  const customerKey = await keys.forSubject('c-1')
  const issuer = await testTokens()
  const config = parseConfig(orderQueryConfig, {
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    KEYS_DATABASE_URL: database.url,
    DATABASE_CONNECTIONS: '6',
    MASTER_KEY,
    FRAUD_HASH_KEY: 'f'.repeat(32),
    REGION: 'in-test',
    LOG_LEVEL: 'silent',
    RATE_LIMIT_PER_SECOND: '100000',
    RATE_LIMIT_BURST: '100000',
    ...env,
    ...Object.fromEntries(Object.entries(issuer.config).map(([name, value]) => [name, String(value)])),
  })
  const driver = postgresLog({ url: database.url, shared: false })
  const app = await createOrderQueryApp(config, { keys: issuer.keys, driver, ...parts })
  const source = app.get(DataSource)
  const rows = app.get<RowStore>(ROWS)
  const transactions = typeormTransactions(source)
  const project = projector(orderQueryProjection, rows)

  return {
    app,
    source,
    transactions,
    project,
    config,
    feed: async (...messages: IncomingMessage[]) => transactions.run(await project(messages)),
    get: async (url: string, { as, token }: GetOptions = {}): Promise<Answer> => {
      const headers: Record<string, string> = as ? await issuer.as(...as) : {}
      if (token !== undefined) headers['consistency-token'] = typeof token === 'string' ? token : Token.encode(token)
      const { statusCode, headers: answered, body } = await app.inject({ method: 'GET', url, headers })
      return { status: statusCode, headers: answered, body: JSON.parse(body) as Answer['body'] }
    },
    post: async (
      url: string,
      body: object,
      as: NonNullable<GetOptions['as']>,
      key?: string,
    ): Promise<Answer & { readonly text: string }> => {
      const headers = { ...(await issuer.as(...as)), ...(key !== undefined && { 'idempotency-key': key }) }
      const { statusCode, headers: answered, body: text } = await app.inject({ method: 'POST', url, headers, payload: body })
      return { status: statusCode, headers: answered, text, body: JSON.parse(text) as Answer['body'] }
    },
    /** Of the app. */
    database,
    /** Another process's view of the log. */
    log: () => postgresLog({ url: database.url, shared: false }),
    /** Under the key of the customer `c-1`. */
    sealed: (text: string) => seal(customerKey, text),
    sealedFor: async (subject: string, text: string) => seal(await keys.forSubject(subject), text),
    /** By another process. */
    erase: (subject: string) => keys.erase(subject),
    /** Puts messages on the log, as a relay does. */
    publish: async (...messages: IncomingMessage[]) => {
      const producer = await driver.producer()
      await producer.send(messages.map((message) => encodeMessage(message, message.source, message.time, message.origin)))
      await producer.close()
    },
    close: async () => {
      await app.close()
      await driver.close()
      await keyPool.end()
      await database.drop()
    },
  }
}

export type World = Awaited<ReturnType<typeof openWorld>>
