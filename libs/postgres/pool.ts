import pg from 'pg'
import { GatheringSocket } from './gathering-socket.js'
import { checkedConnection } from './tls.js'

/** PostgreSQL's bigint as a JavaScript bigint: positions, offsets and paise never lose digits. */
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => BigInt(text))

export interface PostgresConfig {
  /** `postgres://user:password@host:port/database` */
  readonly url: string
  /** The schema that unqualified names mean: each app has its own. */
  readonly schema: string
  readonly applicationName: string
  readonly maxConnections: number
  /** A statement that runs longer is cancelled by the server. */
  readonly statementTimeout_ms?: number
  /** How long a caller waits for a free connection before `PostgresUnavailable`. */
  readonly connectTimeout_ms?: number
}

const identifier = /^[a-z_][a-z0-9_]{0,62}$/

export const checkedIdentifier = (name: string): string => {
  if (!identifier.test(name)) throw new Error(`not a plain SQL identifier: ${JSON.stringify(name)}`)
  return name
}

export const clientConfig = (config: PostgresConfig): pg.ClientConfig => ({
  ...checkedConnection(config.url),
  application_name: config.applicationName,
  statement_timeout: config.statementTimeout_ms ?? 5_000,
  idle_in_transaction_session_timeout: 10_000,
  connectionTimeoutMillis: config.connectTimeout_ms ?? 2_000,
  keepAlive: true,
  // What is asked without waiting for the answer before it goes out at once: a transaction need not take a trip for each of its statements.
  pipeline: true,
  stream: () => new GatheringSocket(),
  options: `-c search_path=${checkedIdentifier(config.schema)}`,
})

export const createPool = (config: PostgresConfig): pg.Pool => {
  const pool = new pg.Pool({ ...clientConfig(config), max: config.maxConnections, idleTimeoutMillis: 30_000 })
  // A connection that dies (server restart) fails the query under way and is replaced at the next use. The pool listens while a connection
  // is idle, and stops at checkout: without a listener of its own, one that dies inside a transaction would end the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
