import { classifyFailure } from '#postgres'
import { PartlyFailed } from './log.js'

/** A handler throws it when something it needs is away: the batch is tried again, whole, and nothing is parked. */
export class DependencyUnavailable extends Error {
  override readonly name = 'DependencyUnavailable'
}

/** The batch's offset was moved by another consumer: what this one did was rolled back, and it must read its place again. */
export class FenceLost extends Error {
  override readonly name = 'FenceLost'
  constructor(group: string, topic: string, partition: number) {
    super(`${group} lost ${topic}/${partition}: its offset was moved by another consumer`)
  }
}

/** A message in a version that this process has no contract of: it is older than who sent it. */
export class UnknownVersion extends Error {
  override readonly name = 'UnknownVersion'
  constructor(type: string, version: number) {
    super(`${type}: version ${version} is not known here`)
  }
}

/** The event store's own, known by name: neither lib imports the other. */
const TRANSIENT = new Set(['DependencyUnavailable', 'StoreUnavailable', 'StoreOverloaded', 'FenceLost', 'AbortError', 'TimeoutError'])
/** Of `fetch`, as the cause of its `TypeError`: the other side could not be reached, closed, or was too slow. */
const FETCH = /^UND_ERR_(SOCKET|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|CLOSED|DESTROYED)$/
const MOST_CAUSES = 8

/** Whether the same work may succeed later without anybody changing anything. Follows `cause`. */
export const isTransient = (error: unknown): boolean => {
  let each = error
  for (let depth = 0; depth < MOST_CAUSES && each !== undefined && each !== null; depth++) {
    // What failed alone is judged alone.
    if (each instanceof PartlyFailed) return false
    if (classifyFailure(each) !== 'bug') return true
    if (each instanceof Error && (TRANSIENT.has(each.name) || TRANSIENT.has(each.constructor.name) || FETCH.test(codeOf(each)))) return true
    each = each instanceof Error ? each.cause : undefined
  }
  return false
}

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')
