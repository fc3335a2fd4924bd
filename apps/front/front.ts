import fastifyStatic from '@fastify/static'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { absolutePath } from 'swagger-ui-dist'
import { answerRouterErrors, PROBLEM_JSON, Problem, problemBytes, problemOf, SECURITY_HEADERS, takeAllMethods, traceOf } from '#platform'

export interface AppStatus {
  readonly status: 'ok' | 'unavailable'
  readonly checks: Readonly<Record<string, unknown>>
}

export interface FrontSources {
  openApi(): object | Promise<object>
  readiness(): Promise<ReadonlyMap<string, AppStatus>>
  metrics(): Promise<string>
  /** Of a path, over all apps and this; empty where nothing is there. */
  allowedMethods(path: string): readonly string[]
}

const INITIALIZER = `window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    persistAuthorization: true,
    tryItOutEnabled: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: 'BaseLayout',
  })
}
`

/** What Swagger UI needs: its own files, styles and small pictures that it writes into the page, and calls to where it came from. */
const PAGE_POLICY = [
  SECURITY_HEADERS['content-security-policy'],
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** What belongs to no app alone: the merged documents, the page to try them at, health and metrics of the whole, and 404. */
export const createFront = async (sources: FrontSources): Promise<FastifyInstance> => {
  const front = fastify({ exposeHeadRoutes: true, bodyLimit: 262_144, requestTimeout: 10_000, frameworkErrors: answerRouterErrors })
  const nowhere = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const methods = sources.allowedMethods(request.url.split('?', 1)[0] ?? '/')
    const allow = methods.includes(request.method) ? '' : methods.join(', ')
    const problem =
      allow === ''
        ? new Problem(404, 'not-found', 'No such resource; /docs lists what there is.')
        : new Problem(405, 'method-not-allowed', `This path has ${allow}.`, { headers: { allow } })
    return sendProblem(request, reply, problem)
  }
  takeAllMethods(front)
  front.addHook('onRequest', async (request, reply) => {
    void reply.headers(SECURITY_HEADERS)
    if (request.url.startsWith('/docs/')) void reply.header('content-security-policy', PAGE_POLICY)
  })

  front.get('/', (_request, reply) => reply.redirect('/docs/'))
  front.get('/docs', (_request, reply) => reply.redirect('/docs/'))
  front.get('/docs/swagger-initializer.js', (_request, reply) => reply.type('text/javascript').send(INITIALIZER))
  await front.register(fastifyStatic, { root: absolutePath(), prefix: '/docs/', decorateReply: false, dotfiles: 'deny' })
  front.get('/openapi.json', async (_request, reply) => reply.send(await sources.openApi()))

  front.get('/health/live', (_request, reply) => reply.send({ status: 'ok', checks: {} }))
  front.get('/health/ready', async (_request, reply) => {
    const apps = await sources.readiness()
    const ready = [...apps.values()].every(({ status }) => status === 'ok')
    return reply.status(ready ? 200 : 503).send({ status: ready ? 'ok' : 'unavailable', checks: Object.fromEntries(apps) })
  })
  front.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await sources.metrics()))

  front.setNotFoundHandler((request, reply) => nowhere(request, reply))
  // Before a body is looked at.
  front.addHook('onRequest', async (request, reply) => (request.is404 ? nowhere(request, reply) : undefined))
  front.setErrorHandler((error, request, reply) => sendProblem(request, reply, problemOf(error)))
  await front.ready()
  return front
}

const sendProblem = (request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply => {
  if (problem.status === 500) console.error(problem.cause)
  const bytes = problemBytes(problem, request.url.split('?', 1)[0] ?? '/', traceOf(request).traceId)
  return reply.status(problem.status).headers(problem.headers).type(PROBLEM_JSON).send(bytes)
}
