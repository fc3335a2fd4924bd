import { readTrace, withTrace, type OpenSpan, type Tracing } from '#tracing'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RouteAccess } from '../auth/access.js'
import { callerOf, rememberCaller } from '../auth/caller.js'
import type { Tokens } from '../auth/tokens.js'
import { bodyTooLarge, unsupportedMediaType } from '../errors/problem-filter.js'
import { Problem } from '../errors/problem.js'
import type { Metrics } from '../observability/metrics.js'
import { rememberTrace, traceOf } from '../observability/request-trace.js'
import type { Rate, RateLimiter } from '../rate-limit/rate-limiter.js'
import { BODY_LIMIT_BYTES } from './json-body.js'
import { RouteTable } from './route-table.js'
import { SECURITY_HEADERS } from './security-headers.js'

export interface RequestHooks {
  readonly tokens: Tokens
  readonly limiter: RateLimiter
  readonly rate: Rate
  readonly metrics: Metrics
  readonly tracing: Tracing | undefined
}

const accessOf = (request: FastifyRequest): RouteAccess | undefined =>
  (request.routeOptions?.config as { access?: RouteAccess } | undefined)?.access

/** What happens to a request before its body is read and after its answer is known. */
export const addRequestHooks = (fastify: FastifyInstance, { tokens, limiter, rate, metrics, tracing }: RequestHooks): void => {
  const routes = new RouteTable()
  const spans = new WeakMap<FastifyRequest, OpenSpan>()
  fastify.addHook('onRoute', ({ method, url }) => routes.add(method, url))

  fastify.addHook('onRequest', (request, reply, done) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) void reply.header(name, value)
    if (tracing && accessOf(request)?.rateLimited !== false) spans.set(request, begin(tracing, request))
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
    const span = spans.get(request)
    span?.set({ 'http.route': route, 'http.response.status_code': reply.statusCode })
    span?.end(reply.statusCode >= 500 ? new ServerError() : undefined)
    metrics.observeRequest(
      request.method,
      route,
      reply.statusCode,
      reply.elapsedTime / 1_000,
      span?.sampled ? span.trace.traceId : undefined,
    )
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

/** What the span of a request answered 5xx ends with; the error itself is in the log. */
class ServerError extends Error {
  override readonly name = 'ServerError'
}

/** Named by the route's template: a path may hold what a person is known by. The request's trace is from then on the span's. */
const begin = (tracing: Tracing, request: FastifyRequest): OpenSpan => {
  const route = request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown')
  const { traceparent } = request.headers
  const parent = typeof traceparent === 'string' ? readTrace(traceparent)?.traceparent : undefined
  const span = tracing.start(`${request.method} ${route}`, {
    kind: 'server',
    parent,
    attributes: { 'http.request.method': request.method },
  })
  rememberTrace(request, span.trace)
  return span
}

/** 413 comes before 415, and both before a byte of the body is read. */
const checkBodyHeaders = ({ headers }: FastifyRequest): void => {
  if (Number(headers['content-length'] ?? 0) > BODY_LIMIT_BYTES) throw bodyTooLarge()
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') throw unsupportedMediaType()
}
