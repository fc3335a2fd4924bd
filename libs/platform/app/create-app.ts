import { systemClock } from '#kernel'
import type { DynamicModule, Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { LogController, type FastifyInstance, type FastifyHttpOptions } from 'fastify'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { describeAccess } from '../auth/route-access.js'
import { remoteKeys, Tokens } from '../auth/tokens.js'
import { createLog, NestLog } from '../observability/log.js'
import { Metrics } from '../observability/metrics.js'
import { memoryRateLimiter } from '../rate-limit/rate-limiter.js'
import { redisRateLimiter } from '../rate-limit/redis-rate-limiter.js'
import { PlatformAdapter } from './adapter.js'
import { answerHttpErrors, answerRouterErrors } from './client-errors.js'
import { CONNECTION_TIMEOUT_MS, HTTP_SERVER, MAX_CONNECTIONS, takeAllMethods } from './http-server.js'
import { BODY_LIMIT_BYTES, parseJsonOnly } from './json-body.js'
import { OpenApi } from './openapi.js'
import type { AppOptions } from './options.js'
import { PlatformModule } from './platform.module.js'
import { addRequestHooks } from './request-hooks.js'

/**
 * An app as every app is made: authentication, limits, problems, DTOs, health, metrics, logs, OpenAPI. It does not listen: call
 * `init()` (for `inject`) or `listen()`. Rejects when a route does not say who may call it.
 */
export const createApp = async (module: Type | DynamicModule, options: AppOptions): Promise<NestFastifyApplication> => {
  const { config, name, clock = systemClock } = options
  const log = createLog(options)
  const server: FastifyHttpOptions<Server> = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: HTTP_SERVER.requestTimeout,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: HTTP_SERVER.keepAliveTimeout,
    http: { headersTimeout: HTTP_SERVER.headersTimeout, maxHeaderSize: HTTP_SERVER.maxHeaderSize },
    // Bounded by the size of the request's head; the guard judges what is in a parameter, after 401.
    routerOptions: { maxParamLength: 16_384 },
    // Without it Fastify answers 503 in a format of its own while it drains; with it off, what still arrives is answered.
    return503OnClosing: false,
    trustProxy: config.TRUST_PROXY ?? false,
    frameworkErrors: answerRouterErrors,
    clientErrorHandler: (error: Error & { code?: string }, socket: Socket) => answerHttpErrors(error, socket),
  }
  const adapter = new PlatformAdapter(server)
  const app = await NestFactory.create<NestFastifyApplication>(await PlatformModule.around(module, options, log), adapter, {
    logger: new NestLog(log),
    bodyParser: false,
    abortOnError: false,
  })
  app.get(OpenApi).of(app, describeAccess(app))

  const rate = { perSecond: config.RATE_LIMIT_PER_SECOND, burst: config.RATE_LIMIT_BURST }
  const limiter = config.REDIS_URL ? redisRateLimiter(config.REDIS_URL, `rate:${name}`, rate, clock) : memoryRateLimiter(rate, clock)
  const keys = options.keys ?? remoteKeys(config.JWKS_URL)
  const tokens = new Tokens({ keys, issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE, clock })
  const fastify: FastifyInstance = adapter.getInstance()
  fastify.server.maxConnections = MAX_CONNECTIONS
  parseJsonOnly(fastify)
  takeAllMethods(fastify)
  addRequestHooks(fastify, { tokens, limiter, rate, metrics: app.get(Metrics), tracing: options.tracing })
  fastify.addHook('onClose', () => limiter.close())
  return app
}
