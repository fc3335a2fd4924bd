import { LogServer, pgConsumerStore } from '#messaging'
import { createApp, Readiness, type AppOptions } from '#platform'
import { typeormTransactions } from '#projections'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { DataSource } from 'typeorm'
import { TOPICS_READ } from './messages/events.consumer.js'
import type { OrderQueryConfig } from './order-query.config.js'
import { OrderQueryModule } from './order-query.module.js'
import { LOG_DRIVER, MESSAGING_POOL } from './tokens.js'

/**
 * order-query: the read models of orders, products and stock, and the HTTP reads over them. It neither listens nor consumes yet: call
 * `startAllMicroservices()`, then `listen()` or `init()`.
 */
export const createOrderQueryApp = async (
  config: OrderQueryConfig,
  options: Omit<Partial<AppOptions>, 'config' | 'name'> = {},
): Promise<NestFastifyApplication> => {
  const app = await createApp(OrderQueryModule.with(config, options.clock), {
    name: 'order-query',
    description: 'Orders, their history, products and stock, as read models.',
    ...options,
    config,
  })
  const strategy = new LogServer({
    driver: app.get(LOG_DRIVER),
    group: 'order-query',
    transactions: typeormTransactions(app.get(DataSource)),
    consumerStore: pgConsumerStore(app.get(MESSAGING_POOL)),
    // What came after a parked message builds on it: it waits, so that a redrive applies all in order.
    parkedKeys: Object.fromEntries(TOPICS_READ.map((topic) => [topic, 'hold'])),
    ...(options.clock && { clock: options.clock }),
  })
  app.connectMicroservice({ strategy }, { inheritAppConfig: false })
  app.get(Readiness).register('consumer', () => Promise.resolve(strategy.healthy()))
  return app
}
