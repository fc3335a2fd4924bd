import { AlertDecided, OrderCancelled, REPLIES, TOPICS } from '#contracts'
import { kafkaLog, postgresLog, type LogDriver, type TopicSpec } from '#messaging'
import { InvalidConfig } from '#platform'
import type { PaymentSagaConfig } from './payment-saga.config.js'

const WEEK_MS = 7 * 86_400_000

/** What the sagas listen to. */
export const ORDERS_EVENTS = OrderCancelled.topic
export const FRAUD_EVENTS = AlertDecided.topic
export { REPLIES }

/** The sagas write to every app's commands. */
export const topics: readonly TopicSpec[] = TOPICS.map((name) => ({ name, partitions: 6, retention_ms: WEEK_MS }))

/** The log that the configuration names. */
export const openLog = ({ LOG, LOG_DATABASE_URL, DATABASE_URL, KAFKA_BROKERS }: PaymentSagaConfig): LogDriver => {
  if (LOG === 'postgres') return postgresLog({ url: LOG_DATABASE_URL ?? DATABASE_URL })
  if (KAFKA_BROKERS === undefined) throw new InvalidConfig('KAFKA_BROKERS: must be set when LOG is kafka')
  return kafkaLog({ brokers: KAFKA_BROKERS.split(','), clientId: 'payment-saga' })
}
