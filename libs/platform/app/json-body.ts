import type { FastifyInstance, FastifyRequest } from 'fastify'
import sjson from 'secure-json-parse'
import { malformedJson } from '../errors/problem-filter.js'
import type { RouteAccess } from '../auth/access.js'

export const BODY_LIMIT_BYTES = 256 * 1024

/** Deeper than any DTO; recursion over what comes in stays shallow. */
const MAX_DEPTH = 32

const raw = new WeakMap<FastifyRequest, Buffer>()

/** The bytes of the body, on routes with `@KeepRawBody()`. */
export const rawBodyOf = (request: FastifyRequest): Buffer | undefined => raw.get(request)

/**
 * JSON and nothing else: any other content type is 415. `__proto__` and `constructor.prototype` are refused, invalid UTF-8 too; an empty
 * body is none.
 */
export const parseJsonOnly = (fastify: FastifyInstance): void => {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: BODY_LIMIT_BYTES }, (request, body: Buffer, done) => {
    const access = request.routeOptions.config as { access?: RouteAccess }
    if (access.access?.rawBody) raw.set(request, body)
    try {
      done(null, body.length === 0 ? undefined : parseJson(body))
    } catch (error) {
      done(error as Error)
    }
  })
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

export const parseJson = (body: Uint8Array): unknown => {
  let value: unknown
  try {
    value = sjson.parse(utf8.decode(body), undefined, { protoAction: 'error', constructorAction: 'error' })
  } catch {
    throw malformedJson('The body is not valid JSON in UTF-8.')
  }
  if (deeperThan(value, MAX_DEPTH)) throw malformedJson(`The body is nested deeper than ${MAX_DEPTH} levels.`)
  return value
}

const deeperThan = (value: unknown, levels: number): boolean => {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => deeperThan(member, levels - 1))
}
