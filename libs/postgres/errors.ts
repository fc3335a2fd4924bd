/**
 * What a failure of PostgreSQL means for the caller.
 * - `retry`: nothing was done; the same work may succeed at once (serialisation failure, deadlock).
 * - `unavailable`: the server cannot do it now (connection lost, no room, too many clients, time-out): answer 503, try later.
 * - `bug`: the statement itself is wrong; trying again will not help.
 * A COMMIT whose answer was lost is `unavailable`: whether it took effect must be looked up.
 */
export type FailureKind = 'retry' | 'unavailable' | 'bug'

const RETRY = new Set(['40001', '40P01'])
/** Class 08 connection, 53 resources (disk full, memory, connections), 57 operator (shutdown, cancelled by time-out), 58 system, 25006 read-only standby, 55P03 lock not available. */
const UNAVAILABLE = /^(08|53|57|58)|^(25006|55P03|25P03)$/
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ECONNABORTED',
  'EADDRNOTAVAIL',
])
/** pg reports a lost or unobtainable connection by message only, TypeORM one that it lost while nothing was asked on it. */
const LOST =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|error establishing an SSL connection|Query runner already released|Client has encountered a connection error|not queryable|connection is closed/i

export const classifyFailure = (error: unknown): FailureKind => {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'string') {
    if (RETRY.has(code)) return 'retry'
    if (UNAVAILABLE.test(code) || NETWORK.has(code)) return 'unavailable'
  }
  if (error instanceof AggregateError) return error.errors.every((each) => classifyFailure(each) === 'unavailable') ? 'unavailable' : 'bug'
  return typeof message === 'string' && LOST.test(message) ? 'unavailable' : 'bug'
}

/** Whether it is a statement's own `1 / (condition)::integer` that failed: what it takes for granted does not hold, and nothing after it in its transaction happens. */
export const isBrokenAssumption = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === '22012'
