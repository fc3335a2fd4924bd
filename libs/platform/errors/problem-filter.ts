import { StoreOverloaded, StoreUnavailable } from '#event-store'
import { classifyFailure } from '#postgres'
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { traceOf } from '../observability/request-trace.js'
import { Problem, PROBLEM_JSON, problemBytes, unavailable } from './problem.js'

/** Fastify's own errors. What they say of the request is ours to say: theirs name internals. */
const FASTIFY: Readonly<Record<string, () => Problem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => bodyTooLarge(),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => unsupportedMediaType(),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => new Problem(400, 'malformed-request', 'The body is not as long as Content-Length says.'),
  FST_ERR_BAD_URL: () => new Problem(400, 'malformed-request', 'The path is not valid percent-encoded UTF-8.'),
  FST_ERR_MAX_PARAM_LENGTH: () => new Problem(404, 'not-found', 'There is no such resource.'),
}

export const bodyTooLarge = (): Problem => new Problem(413, 'body-too-large', 'The body is larger than 256 KiB.')
export const unsupportedMediaType = (): Problem =>
  new Problem(415, 'unsupported-media-type', 'The body must be application/json, in UTF-8 and without content encoding.')
export const malformedJson = (detail: string): Problem => new Problem(400, 'malformed-json', detail)

/** What is not ours to blame on the client is `internal`, and its message stays here. */
export const problemOf = (error: unknown): Problem => {
  if (error instanceof Problem) return error
  if (error instanceof StoreUnavailable || error instanceof StoreOverloaded) return unavailable(error)
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown }
  const known = typeof code === 'string' ? FASTIFY[code] : undefined
  if (known) return known()
  const status = error instanceof HttpException ? error.getStatus() : statusCode
  if (typeof status === 'number' && status >= 400 && status < 500) return ofStatus(status)
  if (classifyFailure(error) !== 'bug') return unavailable(error)
  return new Problem(500, 'internal', 'Something went wrong here. The trace id names it in the logs.', { cause: error })
}

const ofStatus = (status: number): Problem => {
  switch (status) {
    case 401:
      return unauthorized()
    case 403:
      return forbidden()
    case 404:
      return new Problem(404, 'not-found', 'There is no such resource.')
    case 413:
      return bodyTooLarge()
    case 415:
      return unsupportedMediaType()
    default:
      return new Problem(status, 'malformed-request', 'The request cannot be understood.')
  }
}

/** RFC 6750: a challenge without `error` where no token came. */
export const unauthorized = (reason?: string): Problem =>
  new Problem(401, 'unauthorized', reason ?? 'This call needs a bearer token.', {
    headers: {
      'www-authenticate':
        reason === undefined ? 'Bearer realm="bahi"' : `Bearer realm="bahi", error="invalid_token", error_description="${reason}"`,
    },
  })

export const forbidden = (): Problem => new Problem(403, 'forbidden', 'Your roles do not allow this call.')

const sendProblem = (request: FastifyRequest, reply: FastifyReply, problem: Problem): void => {
  const instance = request.url.split('?', 1)[0] ?? '/'
  void reply
    .code(problem.status)
    .headers({ ...problem.headers, 'content-type': PROBLEM_JSON })
    .send(problemBytes(problem, instance, traceOf(request).traceId))
}

/** Writes every error, Fastify's own too, as a problem. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>()
    const reply = host.switchToHttp().getResponse<FastifyReply>()
    const problem = problemOf(error)
    if (problem.status >= 500) {
      const level = problem.status === 500 ? 'error' : 'warn'
      const traceId = traceOf(request).traceId
      const err = problem.cause ?? (error === problem ? undefined : error)
      // A refusal that was meant, such as a read that would be too old, has no stack to look into.
      if (err === undefined) request.log.info({ traceId }, problem.slug)
      else request.log[level]({ err, traceId }, problem.slug)
    }
    if (!reply.sent && !reply.raw.headersSent) sendProblem(request, reply, problem)
  }
}
