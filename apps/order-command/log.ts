import { kafkaLog, postgresLog, type LogDriver } from '#messaging'
import { InvalidConfig } from '#platform'
import type { OrderCommandConfig } from './order-command.config.js'

/** The log that the configuration names. */
export const openLog = ({ LOG, LOG_DATABASE_URL, DATABASE_URL, KAFKA_BROKERS }: OrderCommandConfig): LogDriver => {
  if (LOG === 'postgres') return postgresLog({ url: LOG_DATABASE_URL ?? DATABASE_URL })
  if (KAFKA_BROKERS === undefined) throw new InvalidConfig('KAFKA_BROKERS: must be set where LOG=kafka')
  return kafkaLog({ brokers: KAFKA_BROKERS.split(','), clientId: 'order-command' })
}
