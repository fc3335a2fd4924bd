import { TOPICS } from '#contracts'
import { kafkaLog, postgresLog, type LogDriver, type TopicSpec } from '#messaging'
import { InvalidConfig, type BaseConfig } from '#platform'

/**
 * Kafka's are what a group's members share, and free. In PostgreSQL each is a batch, a fence and a commit of its own in every group, on the
 * disk and the cores that all of them share: measured, fewer and larger batches carry more.
 */
const PARTITIONS: Readonly<Record<BaseConfig['LOG'], number>> = { kafka: 6, postgres: 1 }
const WEEK_MS = 7 * 86_400_000

/** Every topic that the apps share. Each app makes sure of all of them, so that they may start in any order. */
export const topicSpecs = ({ LOG }: Pick<BaseConfig, 'LOG'>): readonly TopicSpec[] =>
  TOPICS.map((name) => ({ name, partitions: PARTITIONS[LOG], retention_ms: WEEK_MS }))

/** The log that the configuration names: the one place where the two ways to run differ. */
export const openLog = (
  name: string,
  { LOG, LOG_DATABASE_URL, DATABASE_URL, KAFKA_BROKERS }: Pick<BaseConfig, 'LOG' | 'LOG_DATABASE_URL' | 'DATABASE_URL' | 'KAFKA_BROKERS'>,
): LogDriver => {
  if (LOG === 'postgres') return postgresLog({ url: LOG_DATABASE_URL ?? DATABASE_URL })
  if (KAFKA_BROKERS === undefined) throw new InvalidConfig('KAFKA_BROKERS: must be set where LOG is kafka')
  return kafkaLog({ clientId: name, brokers: KAFKA_BROKERS.split(',') })
}
