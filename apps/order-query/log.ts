import { postgresLog, type LogDriver } from '#messaging'
import type { OrderQueryConfig } from './order-query.config.js'

/** The log that the configuration names. */
export const logDriver = (config: OrderQueryConfig): LogDriver => postgresLog({ url: config.LOG_DATABASE_URL ?? config.DATABASE_URL })
