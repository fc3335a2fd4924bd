import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import FindMyWay, { type HTTPMethod } from 'find-my-way'
import { ROUTES, type AppName, type Route } from './routing-table.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface Destinations {
  readonly apps: Readonly<Record<AppName, Handler>>
  /** Answers what belongs to no app: documents, health, metrics, and 404. */
  readonly front: Handler
  /** The payment provider's sandbox, under `/provider-sandbox/`. */
  readonly sandbox: Handler
}

const FRONT = /^\/(|docs(\/.*)?|openapi\.json|metrics|health\/(live|ready))$/

/** Which methods a path has, so that a wrong one is 405 with `Allow` (RFC 9110, 15.5.6) and not 404. */
export const allowedMethods = (path: string): readonly string[] => {
  if (FRONT.test(path)) return ['GET', 'HEAD']
  const found = ROUTES.filter((route) => matches(route.path.split('/'), path.split('/')))
  // A path that is written out is a resource of its own, not one of those that a template beside it means.
  const own = found.filter((route) => route.path === path)
  const methods = (own.length > 0 ? own : found).map(({ method }) => method)
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].sort()
}

const matches = (template: readonly string[], path: readonly string[]): boolean =>
  template.length === path.length && template.every((segment, i) => (segment.startsWith('{') ? path[i] !== '' : segment === path[i]))

/** Of the routes; any other method is no app's. */
const METHODS: readonly HTTPMethod[] = ['GET', 'HEAD', 'PUT', 'POST']

export const SANDBOX_PREFIX = 'provider-sandbox'

/** Hands each request to the app that the table names. An app matches the path again, with its own names for the segments. */
export const createRouter = (routes: readonly Route[], to: Destinations): RequestListener => {
  const apps = FindMyWay<FindMyWay.HTTPVersion.V1>({
    defaultRoute: to.front,
    ignoreTrailingSlash: false,
    maxParamLength: 1_024,
    onBadUrl: (_, request, response) => to.front(request as IncomingMessage, response as ServerResponse),
  })
  for (const { method, path, app } of routes) {
    const pattern = path.replace(/\{(\w+)\}/g, ':$1')
    const methods: HTTPMethod[] = method === 'GET' ? ['GET', 'HEAD'] : [method]
    apps.on(methods, pattern, (request, response) => to.apps[app](request, response))
  }
  for (const path of new Set(routes.map((route) => route.path).filter((each) => !each.includes('{')))) {
    const others = METHODS.filter((method) => !allowedMethods(path).includes(method))
    if (others.length > 0) apps.on(others, path, (request, response) => to.front(request as IncomingMessage, response as ServerResponse))
  }
  return (request, response) => {
    if (request.url?.startsWith(`/${SANDBOX_PREFIX}/`)) to.sandbox(request, response)
    else apps.lookup(request, response)
  }
}
