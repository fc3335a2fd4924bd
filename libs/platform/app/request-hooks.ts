import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RouteAccess } from '../auth/access.js'
import { callerOf, rememberCaller } from '../auth/caller.js'
import type { Tokens } from '../auth/tokens.js'
import { bodyTooLarge, unsupportedMediaType } from '../errors/problem-filter.js'
import { Problem } from '../errors/problem.js'
import type { Metrics } from '../observability/metrics.js'
import { traceOf, withTrace } from '../observability/trace.js'
import type { Rate, RateLimiter } from '../rate-limit/rate-limiter.js'
import { BODY_LIMIT_BYTES } from './json-body.js'
import { RouteTable } from './route-table.js'
import { SECURITY_HEADERS } from './security-headers.js'

export interface RequestHooks {
  readonly tokens: Tokens
  readonly limiter: RateLimiter
  readonly rate: Rate
  readonly metrics: Metrics
}

const accessOf = (request: FastifyRequest): RouteAccess | undefined =>
  (request.routeOptions?.config as { access?: RouteAccess } | undefined)?.access

/** What happens to a request before its body is read and after its answer is known. */
export const addRequestHooks = (fastify: FastifyInstance, { tokens, limiter, rate, metrics }: RequestHooks): void => {
  const routes = new RouteTable()
  fastify.addHook('onRoute', ({ method, url }) => routes.add(method, url))

  fastify.addHook('onRequest', (request, reply, done) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) void reply.header(name, value)
    withTrace(traceOf(request), done)
  })

  fastify.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request)
    const open = request.is404 || access?.public === true
    if (!open) {
      void reply.header('cache-control', 'no-store')
      rememberCaller(request, await tokens.caller(request.headers.authorization))
    }
    if (access?.rateLimited !== false) await limit(reply, open ? `address:${request.ip}` : `sub:${callerOf(request).sub}`)
    if (request.is404) routes.refuseMethod(request.url)
    checkBodyHeaders(request)
  })

  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown')
    metrics.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1_000)
    const fields = { method: request.method, route, status: reply.statusCode, duration_ms: Math.round(reply.elapsedTime * 10) / 10 }
    request.log[accessOf(request)?.rateLimited === false ? 'debug' : 'info'](fields, 'request')
    done()
  })

  /** draft-ietf-httpapi-ratelimit-headers, as structured fields. */
  const limit = async (reply: FastifyReply, key: string): Promise<void> => {
    const { allowed, remaining, retryAfter_s } = await limiter.take(key)
    const window_s = Math.max(1, Math.ceil(rate.burst / rate.perSecond))
    void reply.header('ratelimit-policy', `"default";q=${rate.burst};w=${window_s}`)
    void reply.header('ratelimit', `"default";r=${remaining};t=${allowed ? window_s : retryAfter_s}`)
    if (allowed) return
    throw new Problem(429, 'rate-limited', 'Too many calls; wait a little.', { headers: { 'retry-after': String(retryAfter_s) } })
  }
}

/** 413 comes before 415, and both before a byte of the body is read. */
const checkBodyHeaders = ({ headers }: FastifyRequest): void => {
  if (Number(headers['content-length'] ?? 0) > BODY_LIMIT_BYTES) throw bodyTooLarge()
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') throw unsupportedMediaType()
}
