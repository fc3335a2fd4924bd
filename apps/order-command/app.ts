import { CATALOGUE_EVENTS, ORDERS_COMMANDS, ORDERS_EVENTS, REPLIES, STOCK_COMMANDS, STOCK_EVENTS } from '#contracts'
import { masterKeyOf, openEventStore, pgSubjectKeys } from '#event-store'
import { paise, systemClock, systemIds } from '#kernel'
import { LogServer, pgConsumerStore, Relay, type LogDriver, type TopicSpec } from '#messaging'
import { APP_LOG, createApp, DevIssuerModule, Metrics, pgIssuerKeys, Readiness, type AppOptions } from '#platform'
import { createPool, pgTransactions, type PostgresConfig } from '#postgres'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { Logger } from 'pino'
import { OrderCommandLife } from './lifecycle.js'
import { openLog } from './log.js'
import { gstRateRows, shippingFee, type OrderCommandConfig } from './order-command.config.js'
import { OrderCommandModule } from './order-command.module.js'
import { publish } from './publish.js'
import type { Rules } from './rules.js'
import { streamTypes } from './streams.js'

const NAME = 'order-command'
const WEEK_MS = 7 * 86_400_000
const topics: readonly TopicSpec[] = [ORDERS_COMMANDS, STOCK_COMMANDS, ORDERS_EVENTS, CATALOGUE_EVENTS, STOCK_EVENTS, REPLIES].map(
  (name) => ({ name, partitions: 6, retention_ms: WEEK_MS }),
)

/** What a test, or a process of several apps, may bring along instead of what the configuration says. */
export type OrderCommandAppParts = Partial<Pick<AppOptions, 'clock' | 'keys' | 'logTo'>> & { readonly driver?: LogDriver }

export const rulesOf = (config: OrderCommandConfig): Rules => ({
  sellerState: config.SELLER_STATE,
  shipping: paise(shippingFee(config)),
  gstRates: gstRateRows(config),
  masterKey: masterKeyOf(config.MASTER_KEY),
  fraudHashKey: config.FRAUD_HASH_KEY,
})

/**
 * Orders, catalogue and stock, the write side, as a Nest application that does not listen: its database and the log's are there and migrated.
 * `startAllMicroservices()` starts its consumers, `init()` or `listen()` its relay, `close()` stops all of it and gives its connections back.
 */
export const createOrderCommandApp = async (
  config: OrderCommandConfig,
  parts: OrderCommandAppParts = {},
): Promise<NestFastifyApplication> => {
  const { clock = systemClock, driver = openLog(config), keys, logTo } = parts
  const rules = rulesOf(config)
  const postgres: PostgresConfig = {
    url: config.DATABASE_URL,
    schema: config.DATABASE_SCHEMA,
    applicationName: NAME,
    maxConnections: config.DATABASE_CONNECTIONS,
  }
  const pool = createPool(postgres)
  // Until the app is there and has a log.
  let onError = (error: unknown): void => void process.stderr.write(`${NAME}: ${String(error)}\n`)
  const closers: (() => Promise<unknown>)[] = [() => pool.end()]
  if (!parts.driver) closers.push(() => driver.close())
  try {
    await driver.ensureTopics(topics)
    const onBackgroundError = (error: unknown) => onError(error)
    const store = await openEventStore({ pool, postgres, types: streamTypes, publish, clock, app: NAME, onBackgroundError })
    closers.push(() => store.close())
    const relay = new Relay({ outbox: store.outbox, driver, app: NAME, clock, listener: { onError: ({ error }) => onError(error) } })
    const life = new OrderCommandLife([() => relay.start()], [() => relay.stop(), ...closers.toReversed()])
    const subjectKeys = pgSubjectKeys(pool, rules.masterKey)
    const imports = [DevIssuerModule.register(config, pgIssuerKeys(pool), clock)]
    const app = await createApp(OrderCommandModule.with({ store, subjectKeys, rules, clock, ids: systemIds, life, imports }), {
      name: NAME,
      config,
      description: 'Orders, catalogue and stock: what changes them.',
      clock,
      ...(keys && { keys }),
      ...(logTo && { logTo }),
    })
    const log = app.get<Logger>(APP_LOG)
    const failures = app
      .get(Metrics)
      .counter('background_failures_total', 'Failures of what runs beside the requests; all are tried again.')
    onError = (error) => {
      failures.inc()
      log.error({ err: error }, 'work beside the requests failed; it is tried again')
    }
    const strategy = new LogServer({
      driver,
      group: NAME,
      transactions: pgTransactions(pool),
      consumerStore: pgConsumerStore(pool),
      clock,
      listener: { onError: (error) => onError(error) },
    })
    app.connectMicroservice({ strategy }, { inheritAppConfig: false })
    const readiness = app.get(Readiness)
    readiness.register('database', () => pool.query('SELECT 1'))
    readiness.register('relay', () => Promise.resolve(relay.healthy()))
    readiness.register('consumer', () => Promise.resolve(strategy.healthy()))
    return app
  } catch (error) {
    for (const close of closers.toReversed()) await close().catch(() => undefined)
    throw error
  }
}
