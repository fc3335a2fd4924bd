import { CONTRACTS } from '#contracts'
import { openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { pgConsumerStore, type LogDriver } from '#messaging'
import { LogServer } from '#messaging/nest'
import { createApp, Readiness, type AppOptions } from '#platform'
import { createPool } from '#postgres'
import { typeormTransactions } from '#projections'
import {
  backgroundReport,
  InvariantWatch,
  Lifecycle,
  openLog,
  openSubjectKeys,
  showInvariants,
  topicSpecs,
  watchConsumer,
  watchStandings,
  watchStore,
} from '#service'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { openTracing } from '#tracing'
import { DataSource } from 'typeorm'
import { invariants } from './invariants.js'
import { TOPICS_READ } from './messages/events.consumer.js'
import type { OrderQueryConfig } from './order-query.config.js'
import { OrderQueryModule, postgresOf } from './order-query.module.js'
import { streamTypes } from './streams.js'

const NAME = 'order-query'
/** Offsets, deferred messages and acts are small and seldom: the projections' own writes go through TypeORM. */
const MESSAGING_CONNECTIONS = 2

/** What a test, or a process of several apps, may bring along instead of what the configuration says. */
export type OrderQueryAppParts = Partial<Pick<AppOptions, 'clock' | 'keys' | 'logTo'>> & { readonly driver?: LogDriver }

/**
 * order-query: the read models of orders, products and stock, and the HTTP reads over them. Its database and the log's are there and migrated.
 * It neither listens nor consumes yet: `startAllMicroservices()`, then `init()` or `listen()`; `close()` drains and gives all connections back.
 */
export const createOrderQueryApp = async (config: OrderQueryConfig, parts: OrderQueryAppParts = {}): Promise<NestFastifyApplication> => {
  const { clock = systemClock, driver = await openLog(NAME, config), keys, logTo } = parts
  const pool = createPool(postgresOf(config, MESSAGING_CONNECTIONS))
  const lifecycle = new Lifecycle()
  const tracing = await openTracing(NAME, config)
  lifecycle.closes(() => tracing?.close() ?? Promise.resolve())
  lifecycle.closes(() => pool.end())
  if (!parts.driver) lifecycle.closes(() => driver.close())
  const { report, throughLogOf } = backgroundReport(NAME)
  try {
    // Of acts alone. What it keeps is collected here already: no relay publishes it.
    const store = await openEventStore({
      pool,
      postgres: postgresOf(config, MESSAGING_CONNECTIONS),
      types: streamTypes,
      publish: () => [],
      clock,
      app: NAME,
      tracing,
      onBackgroundError: (error) => report(error, 'event store'),
    })
    lifecycle.closes(() => store.close())
    await driver.ensureTopics(topicSpecs(config))
    const app = await createApp(
      OrderQueryModule.with(config, { clock, lifecycle, driver, store, sealed: openSubjectKeys(NAME, config, { clock, lifecycle }) }),
      {
        name: NAME,
        description: 'Orders, their history, products and stock, as read models.',
        config,
        clock,
        tracing,
        ...(keys && { keys }),
        ...(logTo && { logTo }),
      },
    )
    const source = app.get(DataSource)
    throughLogOf(app)
    const strategy = new LogServer({
      driver,
      group: NAME,
      // Half of the connections are the readers', however many partitions catch up.
      transactions: typeormTransactions(source, { mostAtOnce: Math.floor(config.DATABASE_CONNECTIONS / 2) }),
      consumerStore: pgConsumerStore(pool),
      clock,
      // What came after a parked message builds on it: it waits, so that a redrive applies all in order.
      parkedKeys: Object.fromEntries(TOPICS_READ.map((topic) => [topic, 'hold'])),
      listener: watchConsumer(app, report),
      contracts: CONTRACTS,
      tracing,
    })
    watchStandings(app, strategy, clock)
    watchStore(app, pool)
    const watch = new InvariantWatch({ pool, invariants, clock, onError: report })
    lifecycle.works(watch)
    showInvariants(app, watch)
    app.connectMicroservice({ strategy }, { inheritAppConfig: false })
    const readiness = app.get(Readiness)
    readiness.register('database', () => source.query('SELECT 1'))
    readiness.register('consumer', () => Promise.resolve(strategy.healthy()))
    return app
  } catch (error) {
    await lifecycle.onApplicationShutdown().catch(() => undefined)
    throw error
  }
}
