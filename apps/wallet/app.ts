import { systemClock, systemIds, systemRandom } from '#kernel'
import { openEventStore } from '#event-store'
import { LogServer, pgConsumerStore, Relay, type LogDriver } from '#messaging'
import { APP_LOG, createApp, Metrics, Readiness, type AppOptions } from '#platform'
import { createPool, pgTransactions, type PostgresConfig } from '#postgres'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { Logger } from 'pino'
import { ExpiryWorker } from './expiry/expiry-worker.js'
import { pgHoldExpiries } from './expiry/pg-hold-expiries.js'
import { openLog, topics } from './log.js'
import { publishWallet } from './publish.js'
import { Rules } from './rules.js'
import { streamTypes } from './streams.js'
import { limitRows, type WalletConfig } from './wallet.config.js'
import { WalletLife } from './lifecycle.js'
import { WalletModule } from './wallet.module.js'

const NAME = 'wallet'

/** What a test, or a process of several apps, may bring along instead of what the configuration says. */
export type WalletAppParts = Partial<Pick<AppOptions, 'keys' | 'logTo'>> & { readonly driver?: LogDriver }

/**
 * The wallet as a Nest application that does not listen: its database and the log's are there and migrated. `startAllMicroservices()` starts
 * its consumer, `init()` or `listen()` its relay and timers, `close()` stops all of it and gives its connections back.
 */
export const createWalletApp = async (config: WalletConfig, parts: WalletAppParts = {}): Promise<NestFastifyApplication> => {
  const rules = new Rules(limitRows(config), systemClock, systemIds)
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
      types: streamTypes,
      publish: publishWallet,
      clock: systemClock,
      app: NAME,
      onBackgroundError: (error) => onError(error),
    })
    closers.push(() => store.close())
    const expiries = pgHoldExpiries(pool)
    const worker = new ExpiryWorker({
      expiries,
      commands: store,
      rules,
      clock: systemClock,
      random: systemRandom,
      poll_ms: config.HOLD_EXPIRY_POLL_MS,
      onError: (error) => onError(error),
    })
    const relay = new Relay({
      outbox: store.outbox,
      driver,
      app: NAME,
      clock: systemClock,
      random: systemRandom,
      listener: { onError: ({ error }) => onError(error) },
    })
    const life = new WalletLife(
      [() => relay.start(), () => worker.start()],
      [() => worker.stop(), () => relay.stop(), ...closers.toReversed()],
    )
    const app = await createApp(WalletModule.with({ store, rules, expiries, clock: systemClock, life }), {
      name: NAME,
      config,
      description: 'Wallets: credits, debits, holds, transfers, statements.',
      ...(parts.keys && { keys: parts.keys }),
      ...(parts.logTo && { logTo: parts.logTo }),
    })
    const log = app.get<Logger>(APP_LOG)
    const failures = app
      .get(Metrics)
      .counter('background_failures_total', 'Failures of what runs beside the requests; all are tried again.')
    onError = (error) => {
      failures.inc()
      log.error({ err: error }, 'work beside the requests failed; it is tried again')
    }
    const listener = { onError: (error: unknown) => onError(error) }
    const strategy = new LogServer({
      driver,
      group: NAME,
      transactions: pgTransactions(pool),
      consumerStore: pgConsumerStore(pool),
      listener,
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
