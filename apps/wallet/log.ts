import { REPLIES, WALLET_COMMANDS, WALLET_EVENTS } from '#contracts'
import { kafkaLog, postgresLog, type LogDriver, type TopicSpec } from '#messaging'
import { InvalidConfig } from '#platform'
import type { WalletConfig } from './wallet.config.js'

const WEEK_MS = 7 * 86_400_000

/** What the app reads and writes. */
export const topics: readonly TopicSpec[] = [WALLET_COMMANDS, WALLET_EVENTS, REPLIES].map((name) => ({
  name,
  partitions: 6,
  retention_ms: WEEK_MS,
}))

/** The log that the configuration names. */
export const openLog = ({ LOG, LOG_DATABASE_URL, DATABASE_URL, KAFKA_BROKERS }: WalletConfig): LogDriver => {
  if (LOG === 'postgres') return postgresLog({ url: LOG_DATABASE_URL ?? DATABASE_URL })
  if (KAFKA_BROKERS === undefined) throw new InvalidConfig('KAFKA_BROKERS: must be set where LOG is kafka')
  return kafkaLog({ brokers: KAFKA_BROKERS.split(','), clientId: 'wallet' })
}
