import { masterKeyOf, openEventStore, openSealed } from '#event-store'
import { systemClock, type Clock, type JsonObject } from '#kernel'
import { LogServer, pgConsumerStore, Relay, type LogDriver } from '#messaging'
import { APP_LOG, createApp, Metrics, Readiness, type AppOptions } from '#platform'
import { createPool, pgTransactions, type PostgresConfig } from '#postgres'
import { pgSagaStore, sagaStream, type SagaStore } from '#saga'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { Logger } from 'pino'
import { paymentSagaHandlers } from './handlers.js'
import { openLog, topics } from './log.js'
import type { PaymentSagaConfig } from './payment-saga.config.js'
import { PaymentSagaLife, PaymentSagaModule } from './payment-saga.module.js'
import type { CircuitBreaker } from './provider/circuit-breaker.js'
import { SandboxProvider } from './provider/sandbox-provider.js'
import { pgWebhookStore } from './webhooks/pg-webhook-store.js'

const NAME = 'payment-saga'

/** What a test, or a process of several apps, may bring along instead of what the configuration says. */
export type PaymentSagaAppParts = Partial<Pick<AppOptions, 'keys' | 'logTo'>> & { readonly driver?: LogDriver; readonly clock?: Clock }

/**
 * The payment sagas as a Nest application that does not listen: its database and the log's are there and migrated. `startAllMicroservices()`
 * starts its consumers, `init()` or `listen()` its relay and worker, `close()` stops all of it and gives its connections back. Rejects when
 * a definition that instances still run on is not there any more.
 */
export const createPaymentSagaApp = async (config: PaymentSagaConfig, parts: PaymentSagaAppParts = {}): Promise<NestFastifyApplication> => {
  const clock = parts.clock ?? systemClock
  const postgres: PostgresConfig = {
    url: config.DATABASE_URL,
    schema: config.DATABASE_SCHEMA,
    applicationName: NAME,
    maxConnections: config.DATABASE_CONNECTIONS,
  }
  const pool = createPool(postgres)
  const driver = parts.driver ?? openLog(config)
  // Until the app is there and has a log.
  let onError = (error: unknown, during = 'work'): void => void process.stderr.write(`${NAME}: ${during}: ${String(error)}\n`)
  const closers: (() => Promise<unknown>)[] = [() => pool.end(), () => (parts.driver ? Promise.resolve() : driver.close())]
  try {
    await driver.ensureTopics(topics)
    const store = await openEventStore({
      pool,
      postgres,
      types: [sagaStream],
      // Sagas publish by messages of their decisions; their events are their own.
      publish: () => [],
      clock,
      app: NAME,
      onBackgroundError: (error) => onError(error),
    })
    closers.push(() => store.close())
    const transactions = pgTransactions(pool)
    const sagas = pgSagaStore(pool, postgres)
    const provider = providerOf(config, clock)
    const { engine, inbox, worker, webhooks } = paymentSagaHandlers(
      {
        commands: store,
        sagas,
        webhooks: pgWebhookStore(pool),
        transactions,
        clock,
        provider,
        open: openerOf(config),
        onError: (error, during) => onError(error, during),
      },
      config,
    )
    await engine.checkDefinitions()
    const relay = new Relay({ outbox: store.outbox, driver, app: NAME, listener: { onError: ({ error }) => onError(error, 'relay') } })
    const life = new PaymentSagaLife(
      [() => relay.start(), () => worker.start(), () => webhooks.start()],
      [() => webhooks.stop(), () => worker.stop(), () => relay.stop(), ...closers.toReversed()],
    )
    const app = await createApp(PaymentSagaModule.with({ store, sagas, engine, inbox, webhooks, transactions, clock, life }), {
      name: NAME,
      config,
      description: 'Payments: the sagas that take and give back money, and the providers behind them.',
      ...(parts.keys && { keys: parts.keys }),
      ...(parts.logTo && { logTo: parts.logTo }),
    })
    onError = reporter(app)
    measure(app, sagas, provider.breaker)
    const strategy = new LogServer({
      driver,
      group: NAME,
      transactions,
      consumerStore: pgConsumerStore(pool),
      listener: { onError: (error) => onError(error, 'consumer') },
    })
    app.connectMicroservice({ strategy }, { inheritAppConfig: false })
    app.get(Readiness).register('database', () => pool.query('SELECT 1'))
    app.get(Readiness).register('relay', () => Promise.resolve(relay.healthy()))
    return app
  } catch (error) {
    for (const close of closers.toReversed()) await close().catch(() => undefined)
    throw error
  }
}

const providerOf = (config: PaymentSagaConfig, clock: Clock): SandboxProvider =>
  new SandboxProvider({
    url: config.PROVIDER_URL,
    apiKey: config.PROVIDER_API_KEY,
    clock,
    concurrency: config.PROVIDER_CONCURRENCY,
    timeout_ms: { authorise: 5_000, find: 2_000, change: 5_000 },
  })

/** Opens what the order's app sealed. The text lives as long as the call that it goes into. */
const openerOf = ({ MASTER_KEY }: PaymentSagaConfig): ((sealed: JsonObject) => string | undefined) => {
  const masterKey = masterKeyOf(MASTER_KEY)
  return ({ subject, key, nonce, ciphertext }) =>
    typeof subject === 'string' && typeof key === 'string' && typeof nonce === 'string' && typeof ciphertext === 'string'
      ? openSealed(masterKey, { subject, key, nonce, ciphertext })
      : undefined
}

const reporter = (app: NestFastifyApplication): ((error: unknown, during?: string) => void) => {
  const log = app.get<Logger>(APP_LOG)
  const failures = app.get(Metrics).counter('background_failures_total', 'Failures of what runs beside the requests; all are tried again.')
  return (error, during) => {
    failures.inc()
    log.error({ err: error, during }, 'work beside the requests failed; it is tried again')
  }
}

const measure = (app: NestFastifyApplication, sagas: SagaStore, breaker: CircuitBreaker): void => {
  const metrics = app.get(Metrics)
  metrics.gauge('sagas', 'Sagas by type and status.', ['type', 'status'], async (gauge) => {
    gauge.reset()
    for (const { type, status, count } of await sagas.counts()) gauge.set({ type, status }, count)
  })
  metrics.gauge('provider_circuit', 'The circuit breaker of the payment provider: 1 for the state it is in.', ['state'], (gauge) => {
    for (const state of ['closed', 'open', 'half-open'] as const) gauge.set({ state }, breaker.state === state ? 1 : 0)
  })
}
