import { CONTRACTS } from '#contracts'
import { openEventStore, type EventStore, type EventStoreOptions, type RegisteredStreamType } from '#event-store'
import { systemClock, systemIds, systemRandom, type Clock, type Ids, type Random, type Transactions } from '#kernel'
import { pgConsumerStore, Relay, type LogDriver, type RelayListener } from '#messaging'
import { LogServer, type LogServerOptions } from '#messaging/nest'
import { createApp, Metrics, publishingActs, Readiness, type AppOptions, type BaseConfig } from '#platform'
import { openTracing, type Tracing } from '#tracing'
import { createPool, pgTransactions, type PostgresConfig } from '#postgres'
import type { DynamicModule, INestApplication } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type pg from 'pg'
import { InvariantWatch, showInvariants } from './invariant-watch.js'
import type { Invariant } from './invariants.js'
import { Lifecycle } from './lifecycle.js'
import { openLog, topicSpecs } from './log.js'
import { ServiceModule } from './service.module.js'
import { backgroundReport, watchConsumer, watchRelay, watchStandings, watchStore } from './watch.js'

export type ServiceConfig = BaseConfig & {
  /** Connections of the write path and the reads. */
  readonly DATABASE_CONNECTIONS: number
}

/** What an app stands on. */
export interface ServiceContext {
  readonly pool: pg.Pool
  readonly postgres: PostgresConfig
  readonly transactions: Transactions
  readonly store: EventStore
  readonly driver: LogDriver
  readonly tracing: Tracing | undefined
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  /** What starts and stops with the app. */
  readonly lifecycle: Lifecycle
  /** Told of failures of what runs beside the requests, and during what: counted and logged. */
  report(error: unknown, during?: string): void
}

export interface ServiceSpec extends Pick<LogServerOptions, 'parkedKeys'> {
  /** What the app's store keeps: no app writes an event that is not registered. */
  readonly types: readonly RegisteredStreamType[]
  /** None: it has no relay, and what its store keeps is told to nobody. */
  readonly publish?: EventStoreOptions['publish']
  /** `wallet`: the consumer group, and the name in logs, metrics and messages. */
  readonly name: string
  /** One line for OpenAPI. */
  readonly description: string
  readonly config: ServiceConfig
  /** What must always hold of its rows. */
  readonly invariants: readonly Invariant[]
  /** Of its pool; `DATABASE_CONNECTIONS` where it is not said. */
  readonly maxConnections?: number
  /** The app's own module. */
  module(context: ServiceContext): DynamicModule | Promise<DynamicModule>
  /** What its consumer writes in, once the app is there; transactions of its pool where it is not said. */
  transactions?(app: INestApplication): Transactions
  /** For readiness: rejects where its database does not answer. By its pool where it is not said. */
  askDatabase?(app: INestApplication): Promise<unknown>
}

/** What a test may bring along instead of what the configuration says. */
export type ServiceParts = Partial<Pick<AppOptions, 'keys' | 'logTo' | 'clock'>> & { readonly driver?: LogDriver }

/**
 * An app as a Nest application that does not listen: pool, event store, relay, consumer of its `@BatchPattern` handlers, health,
 * and a shutdown in order. Its database and the log's are there and migrated. `startAllMicroservices()` starts its consumer, `init()` or
 * `listen()` its relay and workers, `close()` stops all of it and gives its connections back.
 */
export const createService = async (spec: ServiceSpec, parts: ServiceParts = {}): Promise<NestFastifyApplication> => {
  const { name, config } = spec
  const { clock = systemClock, driver = await openLog(name, config) } = parts
  const lifecycle = new Lifecycle()
  const tracing = await openTracing(name, config)
  lifecycle.closes(() => tracing?.close() ?? Promise.resolve())
  if (!parts.driver) lifecycle.closes(() => driver.close())
  const { report, throughLogOf } = backgroundReport(name)
  let onSent: NonNullable<RelayListener['onSent']> = () => undefined
  try {
    const postgres = {
      url: config.DATABASE_URL,
      schema: config.DATABASE_SCHEMA,
      applicationName: name,
      maxConnections: spec.maxConnections ?? config.DATABASE_CONNECTIONS,
    }
    const pool = createPool(postgres)
    lifecycle.closes(() => pool.end())
    await driver.ensureTopics(topicSpecs(config))
    const store = await openEventStore({
      pool,
      postgres,
      types: spec.types,
      publish: spec.publish ? publishingActs(spec.publish) : () => [],
      clock,
      app: name,
      tracing,
      onBackgroundError: (error) => report(error, 'event store'),
    })
    lifecycle.closes(() => store.close())
    const relay =
      spec.publish &&
      new Relay({
        outbox: store.outbox,
        driver,
        app: name,
        clock,
        random: systemRandom,
        tracing,
        listener: { onError: ({ error }) => report(error, 'relay'), onSent: (page) => onSent(page) },
      })
    if (relay) lifecycle.works(relay)
    const transactions = pgTransactions(pool)
    const context: ServiceContext = {
      pool,
      postgres,
      transactions,
      store,
      driver,
      tracing,
      clock,
      ids: systemIds,
      random: systemRandom,
      lifecycle,
      report,
    }
    const { keys, logTo } = parts
    const options: AppOptions = {
      name,
      config,
      description: spec.description,
      clock,
      tracing,
      ...(keys && { keys }),
      ...(logTo && { logTo }),
    }
    const app = await createApp(ServiceModule.around(await spec.module(context), lifecycle), options)
    throughLogOf(app)
    if (relay) ({ onSent } = watchRelay(app, relay))
    const strategy = new LogServer({
      driver,
      group: name,
      transactions: spec.transactions?.(app) ?? transactions,
      consumerStore: pgConsumerStore(pool),
      clock,
      ...(spec.parkedKeys && { parkedKeys: spec.parkedKeys }),
      listener: watchConsumer(app, report),
      contracts: CONTRACTS,
      tracing,
    })
    watchStandings(app, strategy, clock)
    watchStore(app, pool)
    const watch = new InvariantWatch({ pool, invariants: spec.invariants, clock, onError: report })
    lifecycle.works(watch)
    showInvariants(app.get(Metrics), watch)
    app.connectMicroservice({ strategy }, { inheritAppConfig: false })
    const readiness = app.get(Readiness)
    readiness.register('database', () => (spec.askDatabase ? spec.askDatabase(app) : pool.query('SELECT 1')))
    // Without the log requests are answered on: what they tell waits in the outbox, and reads are of what was read of it.
    if (relay) readiness.register('relay', () => Promise.resolve(relay.healthy()), { neededFor: () => 'messages' })
    // A release that is set to another log waits for the move: were it sent requests, a rollout would end those that the move still needs.
    const neededFor = () => (strategy.isElsewhere() ? 'requests' : 'messages')
    readiness.register('consumer', () => Promise.resolve(strategy.healthy()), { neededFor })
    return app
  } catch (error) {
    await lifecycle.onApplicationShutdown().catch(() => undefined)
    throw error
  }
}
