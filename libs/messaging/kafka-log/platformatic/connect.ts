import { subscribe } from 'node:diagnostics_channel'
import { isIP } from 'node:net'
import type { BaseOptions } from '@platformatic/kafka'
import type { EventEmitter } from 'node:events'
import type { KafkaClientOptions } from '../client.js'
import { unavailableWhere } from '../client.js'

/**
 * A connection that is reset while it authenticates tells its error twice, and the library listens once: the second would end the process. What
 * waits for the connection has the first.
 */
subscribe('plt:kafka:instances', (created) => {
  const { type, instance } = created as { readonly type: string; readonly instance: EventEmitter }
  if (type === 'connection') instance.on('error', () => undefined)
})

const RETRIES = 5
const MOST_RETRY_MS = 2_000

/** What each of its clients is opened with. `request_ms`: how long a broker may take to answer. */
export const connectBy = (
  { brokers, clientId, connectionTimeout_ms, tls, sasl }: KafkaClientOptions,
  request_ms = 15_000,
): BaseOptions => ({
  clientId,
  bootstrapBrokers: [...brokers],
  connectTimeout: connectionTimeout_ms,
  requestTimeout: request_ms,
  timeout: 10_000,
  retries: RETRIES,
  retryDelay: (_, __, attempt) => Math.min(100 * 2 ** (attempt - 1), MOST_RETRY_MS),
  metadataMaxAge: 30_000,
  // An address is not a name that a broker could be told (RFC 6066).
  ...(tls && { tls: { ...tls }, tlsServerName: !brokers.some((broker) => isIP(broker.slice(0, broker.lastIndexOf(':')))) }),
  ...(sasl && {
    sasl: {
      mechanism: sasl.mechanism === 'scram-sha-256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-512',
      username: sasl.username,
      password: sasl.password,
    },
  }),
})

export const unavailable = unavailableWhere((error) => 'code' in error && String(error.code).startsWith('PLT_KFK_'))
