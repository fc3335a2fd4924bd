import { createHash, timingSafeEqual } from 'node:crypto'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { Problem, problemBody, ProblemFilter } from './http/problem.filter.js'
import { prefixOf, ProviderSandboxModule } from './provider-sandbox.module.js'
import type { ProviderSandboxConfig } from './sandbox.config.js'

const BODY_LIMIT_BYTES = 256 * 1024
const REQUEST_TIMEOUT_MS = 10_000

/** The sandbox as a Nest application that does not listen yet. `close()` stops its worker and its connections. */
export const createProviderSandboxApp = async (config: ProviderSandboxConfig): Promise<NestFastifyApplication> => {
  const adapter = new FastifyAdapter({ bodyLimit: BODY_LIMIT_BYTES, requestTimeout: REQUEST_TIMEOUT_MS, forceCloseConnections: true })
  const app = await NestFactory.create<NestFastifyApplication>(ProviderSandboxModule.with(config), adapter, {
    logger: ['warn', 'error', 'fatal'],
    abortOnError: false,
  })
  if (config.PATH_PREFIX !== '') app.setGlobalPrefix(config.PATH_PREFIX)
  app.useGlobalFilters(new ProblemFilter())
  const open = ['health', 'pay'].map((path) => `${prefixOf(config)}/${path}/`)
  adapter.getInstance().addHook('onRequest', async (request, reply) => {
    if (open.some((path) => request.url.startsWith(path)) || sameText(request.headers['x-api-key'], config.PROVIDER_API_KEY)) return
    const problem = new Problem(401, 'unauthorised', 'an X-Api-Key header that the sandbox knows is needed')
    await reply.status(401).header('content-type', 'application/problem+json').send(problemBody(problem))
  })
  return app
}

/** Compared by hash, so that the time it takes says nothing of how much of it was right. */
const sameText = (given: string | readonly string[] | undefined, wanted: string): boolean =>
  typeof given === 'string' && timingSafeEqual(hash(given), hash(wanted))

const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
