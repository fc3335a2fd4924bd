import {
  CommandAnswered,
  FRAUD_COMMANDS,
  ORDERS_COMMANDS,
  OrderPlaced,
  PAYMENTS_EVENTS,
  PaymentChanged,
  STOCK_COMMANDS,
  WALLET_COMMANDS,
} from '#contracts'
import { masterKeysOf, pgSubjectKeys, seal, SUBJECT_KEYS_SCHEMA, subjectKeyMigrations } from '#event-store'
import { systemClock, systemIds, type IncomingMessage, type OutgoingMessage } from '#kernel'
import { decodeMessage, encodeMessage, logMigrations, postgresLog, type LogConsumer } from '#messaging'
import type { Role } from '#platform'
import { testTokens } from '#platform/testing'
import { createPool, migrate } from '#postgres'
import { createTestDatabase, cuttable, type Cuttable } from '#postgres/testing'
import type { BenchAnswer } from '#saga/testing'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { createPaymentSagaApp } from '../app.js'
import { migrations } from '../migrations.js'
import type { PaymentSagaConfig } from '../payment-saga.config.js'
import { Books } from './books.js'
import { startStubProvider, type StubProvider } from './stub-provider.js'

export const WEBHOOK_SECRET = 'a webhook secret of the tests'
const MASTER_KEY = 'A'.repeat(43)

const OPERATOR: readonly [string, ...Role[]] = ['ops', 'admin']

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: unknown
}

export interface Order {
  readonly orderId: string
  readonly books: Books
}

type World = ConstructorParameters<typeof Books>[0]

export interface TestPayments {
  readonly app: NestFastifyApplication
  readonly provider: StubProvider
  /** The line to the app's database. */
  readonly line: Cuttable
  readonly changes: PaymentChangedMessage[]
  call(
    method: 'GET' | 'POST',
    path: string,
    options?: { as?: readonly [string, ...Role[]]; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>
  place(payment: { method: string; instrument?: string }, world?: World): Promise<Order>
  publish(message: OutgoingMessage): Promise<void>
  /** Stops the app as it is and starts another on the same database. */
  restart(): Promise<void>
  /** Another process's app on the same database. */
  second(): Promise<NestFastifyApplication>
  close(): Promise<void>
}

type PaymentChangedMessage = ReturnType<typeof PaymentChanged.parse>

/** The production app on a real PostgreSQL with the log beside it, a provider over HTTP, and the other apps by their contracts alone. */
export const startTestPayments = async (window_s = 2, more: Partial<PaymentSagaConfig> = {}): Promise<TestPayments> => {
  const database = await createTestDatabase(migrations, 'payment_saga')
  await migrate({ url: database.url, schema: 'log', migrations: logMigrations })
  await migrate({ url: database.url, schema: SUBJECT_KEYS_SCHEMA, migrations: subjectKeyMigrations })
  const keyPool = createPool({ ...database, schema: SUBJECT_KEYS_SCHEMA, maxConnections: 1 })
  const keys = pgSubjectKeys(keyPool, masterKeysOf(MASTER_KEY), systemClock)
  const line = await cuttable(database.url)
  const provider = await startStubProvider(window_s * 1_000)
  const tokens = await testTokens()
  const config: PaymentSagaConfig = {
    NODE_ENV: 'test',
    PORT: 0,
    DATABASE_URL: line.url,
    KEYS_DATABASE_URL: database.url,
    DATABASE_SCHEMA: 'payment_saga',
    DATABASE_CONNECTIONS: 6,
    LOG: 'postgres',
    ...tokens.config,
    DEV_ISSUER: false,
    MASTER_KEY,
    FRAUD_HASH_KEY: 'k'.repeat(32),
    REGION: 'in-test',
    RATE_LIMIT_PER_SECOND: 100_000,
    RATE_LIMIT_BURST: 100_000,
    LOG_LEVEL: 'silent',
    PROVIDER: 'sandbox',
    PROVIDER_URL: provider.url,
    PROVIDER_API_KEY: 'an api key of the tests',
    PROVIDER_WEBHOOK_SECRET: WEBHOOK_SECRET,
    PROVIDER_CONCURRENCY: 16,
    UPI_WINDOW_SECONDS: window_s,
    REVIEW_WAIT_SECONDS: 3_600,
    ACTIVITY_TIMEOUT_MS: 1_000,
    ...more,
  }
  const start = async () => {
    const app = await createPaymentSagaApp(config, { keys: tokens.keys })
    await app.startAllMicroservices()
    await app.init()
    return app
  }
  let app = await start()
  const driver = postgresLog({ url: database.url, shared: false })
  const producer = await driver.producer()
  const orders = new Map<string, Books>()
  const changes: PaymentChangedMessage[] = []
  const answers = new Map<string, BenchAnswer>()
  let position = 0n
  const publish = async (...messages: readonly OutgoingMessage[]) => {
    const origin = () => ({ incarnation: 'others', position: ++position, ordinal: 0 })
    await producer.send(messages.map((message) => encodeMessage(message, 'others', systemClock.now(), origin())))
  }
  const consumer = await joinAsOthers(driver, async (message) => {
    if (message.type === PaymentChanged.type) return void changes.push(PaymentChanged.parse(message.data))
    const books = orders.get(String(message.data['orderId'] ?? message.data['reference']))
    if (!books) return
    const answer = answers.get(message.id) ?? books.answer(message)
    answers.set(message.id, answer)
    if (answer !== 'lost') await publish(replyTo(message, answer))
  })
  return {
    get app() {
      return app
    },
    provider,
    line,
    changes,
    publish: (message) => publish(message),
    async call(method, path, { as = OPERATOR, body, headers = {} } = {}) {
      const [sub, ...roles] = as
      const response = await app.inject({
        method,
        url: path,
        headers: { ...(await tokens.as(sub, ...roles)), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      return { status: response.statusCode, headers: response.headers, body: response.body === '' ? undefined : response.json() }
    },
    async place({ method, instrument }, world = {}) {
      const orderId = systemIds.next()
      const books = new Books(world)
      orders.set(orderId, books)
      const sealed = instrument === undefined ? {} : { instrument: seal(await keys.forSubject('c-1'), instrument) }
      const data = OrderPlaced.parse({
        ...OrderPlaced.example,
        orderId,
        customerId: 'c-1',
        payment: {
          method,
          ...(method === 'wallet' || method === 'split' ? { walletId: systemIds.next() } : {}),
          ...(method === 'split' ? { walletAmount: '100000', other: { method: 'upi' as const, ...sealed } } : sealed),
        },
      })
      await publish(OrderPlaced.message(orderId, data, { correlationId: orderId, causationId: 'test' }))
      return { orderId, books }
    },
    async restart() {
      await app.close()
      app = await start()
    },
    second: start,
    async close() {
      await consumer.close()
      await app.close()
      await driver.close()
      await provider.close()
      await keyPool.end()
      await line.close()
      await database.drop()
    },
  }
}

const joinAsOthers = (
  driver: ReturnType<typeof postgresLog>,
  handle: (message: IncomingMessage) => Promise<void>,
): Promise<LogConsumer> => {
  const next = new Map<string, bigint>()
  return driver.consume({
    group: 'others',
    topics: [STOCK_COMMANDS, ORDERS_COMMANDS, WALLET_COMMANDS, FRAUD_COMMANDS, PAYMENTS_EVENTS],
    maxBatch: 50,
    startOffset: async ({ topic, partition }) => next.get(`${topic} ${partition}`) ?? 0n,
    async onBatch({ topic, partition }, records) {
      for (const record of records) {
        await handle(decodeMessage(record))
        next.set(`${topic} ${partition}`, record.offset + 1n)
      }
    },
  })
}

const replyTo = (command: IncomingMessage, answer: Exclude<BenchAnswer, 'lost'>): OutgoingMessage => {
  const to = String(command.data['replyTo'])
  const about = { replyTo: to, commandId: command.id, command: command.type }
  const data =
    'accepted' in answer
      ? { ...about, outcome: 'accepted' as const, result: answer.accepted }
      : { ...about, outcome: 'refused' as const, slug: answer.refused, detail: answer.refused }
  return CommandAnswered.message(to, data, { ...command.context, causationId: command.id })
}
