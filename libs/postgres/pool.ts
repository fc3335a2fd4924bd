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
  /** A statement that runs longer is cancelled by the server. Default 5,000. Its connection is given up where no answer comes within 5 s after that. */
  readonly statementTimeout_ms?: number
  /** How long a caller waits for a free connection. Default 2,000; then pg's own error, which `classifyFailure` calls `unavailable`. */
  readonly connectTimeout_ms?: number
}

const identifier = /^[a-z_][a-z0-9_]{0,62}$/

export const checkedIdentifier = (name: string): string => {
  if (!identifier.test(name)) throw new Error(`not a plain SQL identifier: ${JSON.stringify(name)}`)
  return name
}

const STATEMENT_TIMEOUT_MS = 5_000
/** Beyond the server's own time-out, so that it is the server who says so, where there is one. */
const ANSWER_MS = 5_000

/** A statement for which the session's `statement_timeout` was raised to `most_ms`: its answer is awaited as long. */
export const slow = (query: pg.QueryConfig, most_ms: number): pg.QueryConfig => {
  // pg reads it of a query too; its types have it of a client alone.
  const waiting = { ...query, query_timeout: most_ms + ANSWER_MS }
  return waiting
}

export const clientConfig = (config: PostgresConfig): pg.ClientConfig => ({
  ...checkedConnection(config.url),
  application_name: config.applicationName,
  statement_timeout: config.statementTimeout_ms ?? STATEMENT_TIMEOUT_MS,
  // A server that is gone without a word, or a connection that a firewall forgot, the kernel notices after a quarter of an hour at best.
  query_timeout: (config.statementTimeout_ms ?? STATEMENT_TIMEOUT_MS) + ANSWER_MS,
  idle_in_transaction_session_timeout: 10_000,
  connectionTimeoutMillis: config.connectTimeout_ms ?? 2_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
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
