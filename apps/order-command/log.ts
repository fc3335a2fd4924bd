import { postgresLog, type LogDriver } from '#messaging'
import { InvalidConfig } from '#platform'
import type { OrderCommandConfig } from './order-command.config.js'

/** The log that the configuration names. */
export const openLog = ({ LOG, LOG_DATABASE_URL, DATABASE_URL }: OrderCommandConfig): LogDriver => {
  if (LOG === 'postgres') return postgresLog({ url: LOG_DATABASE_URL ?? DATABASE_URL })
  throw new InvalidConfig(`LOG: ${LOG} is not there yet`)
}
