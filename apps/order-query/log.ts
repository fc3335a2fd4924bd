import { postgresLog, type LogDriver, type TopicSpec } from '#messaging'
import { InvalidConfig } from '#platform'
import { TOPICS_READ } from './messages/events.consumer.js'
import type { OrderQueryConfig } from './order-query.config.js'

const WEEK_MS = 7 * 86_400_000

export const topics: readonly TopicSpec[] = TOPICS_READ.map((name) => ({ name, partitions: 6, retention_ms: WEEK_MS }))

/** The log that the configuration names. */
export const openLog = ({ LOG, LOG_DATABASE_URL, DATABASE_URL }: OrderQueryConfig): LogDriver => {
  if (LOG === 'postgres') return postgresLog({ url: LOG_DATABASE_URL ?? DATABASE_URL })
  throw new InvalidConfig(`LOG: ${LOG} is not there yet`)
}
