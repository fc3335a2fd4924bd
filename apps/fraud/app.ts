import { openEventStore } from '#event-store'
import { systemClock, systemIds, type Clock } from '#kernel'
import { LogServer, pgConsumerStore, Relay, type LogDriver } from '#messaging'
import { APP_LOG, createApp, Metrics, type AppOptions } from '#platform'
import { createPool, pgTransactions, type PostgresConfig } from '#postgres'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { Logger } from 'pino'
import { alertType } from './alerts/alert-stream.js'
import type { FraudConfig } from './fraud.config.js'
import { FraudModule } from './fraud.module.js'
import { openLog, topics } from './log.js'
import { publish } from './publish.js'

const NAME = 'fraud'

/** What a test, or a process of several apps, may bring along instead of what the configuration says. */
export type FraudAppParts = Partial<Pick<AppOptions, 'keys' | 'logTo'>> & { readonly driver?: LogDriver; readonly clock?: Clock }

/**
 * The fraud app as a Nest application that does not listen: its database and the log's are there and migrated. `startAllMicroservices()`
 * starts its consumers, `init()` or `listen()` its relay and timers, `close()` stops all of it and gives its connections back.
 */
export const createFraudApp = async (config: FraudConfig, parts: FraudAppParts = {}): Promise<NestFastifyApplication> => {
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
  let onError = (error: unknown): void => void process.stderr.write(`${NAME}: ${String(error)}\n`)
  const closers: (() => Promise<unknown>)[] = [() => pool.end(), () => (parts.driver ? Promise.resolve() : driver.close())]
  try {
    await driver.ensureTopics(topics)
    const store = await openEventStore({
      pool,
      postgres,
      types: [alertType],
      publish,
      clock,
      app: NAME,
      onBackgroundError: (error) => onError(error),
    })
    closers.push(() => store.close())
    const relay = new Relay({ outbox: store.outbox, driver, app: NAME, listener: { onError: ({ error }) => onError(error) } })
    const transactions = pgTransactions(pool)
    const report = (error: unknown): void => onError(error)
    const module = FraudModule.with({ config, pool, transactions, store, relay, clock, ids: systemIds, closers, report })
    const app = await createApp(module, {
      name: NAME,
      config,
      description: 'Fraud: scores, and the review queue.',
      ...(parts.keys && { keys: parts.keys }),
      ...(parts.logTo && { logTo: parts.logTo }),
    })
    onError = reporter(app)
    const strategy = new LogServer({
      driver,
      group: NAME,
      transactions,
      consumerStore: pgConsumerStore(pool),
      listener: { onError: report },
    })
    app.connectMicroservice({ strategy }, { inheritAppConfig: false })
    return app
  } catch (error) {
    for (const close of closers.toReversed()) await close().catch(() => undefined)
    throw error
  }
}

const reporter = (app: NestFastifyApplication): ((error: unknown) => void) => {
  const log = app.get<Logger>(APP_LOG)
  const failures = app.get(Metrics).counter('background_failures_total', 'Failures of what runs beside the requests; all are tried again.')
  return (error) => {
    failures.inc()
    log.error({ err: error }, 'work beside the requests failed; it is tried again')
  }
}
