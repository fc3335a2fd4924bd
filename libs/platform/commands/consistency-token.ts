import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { Clock } from '#kernel'
import type { FastifyRequest } from 'fastify'
import { setImmediate as laterTurn } from 'node:timers/promises'
import { Problem } from '../errors/problem.js'

/** Names of streams as stored, `order-0190…`, and the version each had after the command. */
export interface ConsistencyToken {
  readonly incarnation: string
  readonly streams: Readonly<Record<string, number>>
}

/** Longer is nobody's token: the largest command, of 100 stocks with the longest SKUs, makes one of 12,187 characters. */
export const LONGEST_TOKEN = 12_288
const MAX_STREAMS = 256

const malformed = () => new Problem(400, 'invalid-consistency-token', 'The Consistency-Token is not one that this service gave.')

/** What PostgreSQL does not take for text would fail the query, and with it everybody who is asked for in the same one. */
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 256 && !value.includes('\0') && value.isWellFormed()
const isVersion = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1

export const ConsistencyToken = {
  encode: ({ incarnation, streams }: ConsistencyToken): string =>
    Buffer.from(JSON.stringify([incarnation, ...Object.entries(streams).flat()])).toString('base64url'),

  /** Throws a 400 problem for what `encode` cannot have made. */
  parse(text: string): ConsistencyToken {
    if (text.length > LONGEST_TOKEN || !/^[A-Za-z0-9_-]+$/.test(text)) throw malformed()
    const [incarnation, ...rest] = parseArray(text)
    if (!isName(incarnation) || rest.length % 2 !== 0 || rest.length > 2 * MAX_STREAMS) throw malformed()
    const streams: [string, number][] = []
    for (let i = 0; i < rest.length; i += 2) {
      const [name, version] = [rest[i], rest[i + 1]]
      if (!isName(name) || !isVersion(version)) throw malformed()
      streams.push([name, version])
    }
    return { incarnation, streams: Object.fromEntries(streams) }
  },
}

const parseArray = (text: string): unknown[] => {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (Array.isArray(value)) return value
  } catch {
    // Said below.
  }
  throw malformed()
}

export const consistencyTokenOf = (_: unknown, context: ExecutionContext): ConsistencyToken | undefined | Promise<never> => {
  const header = context.switchToHttp().getRequest<FastifyRequest>().headers['consistency-token']
  if (header === undefined) return undefined
  try {
    if (typeof header !== 'string') throw malformed()
    return ConsistencyToken.parse(header)
  } catch (problem) {
    return laterTurn().then(() => Promise.reject(problem as Error))
  }
}

/** `@ConsistencyTokenHeader() token: ConsistencyToken | undefined`; malformed is 400, after the fields (see `HttpCommand`). */
export const ConsistencyTokenHeader = createParamDecorator(consistencyTokenOf)

/** How long a read waits at most for what its consistency token names. */
const LONGEST_WAIT_MS = 2_000
const FIRST_POLL_MS = 5
const LONGEST_POLL_MS = 100

/** What a token speaks of has not come in time, or never will: never a stale answer. */
export const notYetConsistent = (): Problem =>
  new Problem(503, 'not-yet-consistent', 'What the Consistency-Token speaks of has not arrived here yet.', {
    headers: { 'retry-after': '1' },
  })

/** Asks until what a token speaks of is `reached`, for two seconds at most; then throws 503 `not-yet-consistent`. */
export const waitUntilConsistent = async (reached: () => Promise<boolean>, clock: Clock): Promise<void> => {
  const until = clock.now() + LONGEST_WAIT_MS
  for (let poll_ms = FIRST_POLL_MS; !(await reached()); poll_ms = Math.min(poll_ms * 1.5, LONGEST_POLL_MS)) {
    const left_ms = until - clock.now()
    if (left_ms <= 0) throw notYetConsistent()
    await clock.sleep(Math.min(poll_ms, left_ms))
  }
}
