import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import FindMyWay, { type HTTPMethod } from 'find-my-way'
import type { AppName, Route } from './routing-table.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface Destinations {
  readonly apps: Readonly<Record<AppName, Handler>>
  /** Answers what belongs to no app: documents, health, metrics, and 404. */
  readonly front: Handler
  /** The payment provider's sandbox, under `/provider-sandbox/`. */
  readonly sandbox: Handler
}

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
  return (request, response) => {
    if (request.url?.startsWith(`/${SANDBOX_PREFIX}/`)) to.sandbox(request, response)
    else apps.lookup(request, response)
  }
}
