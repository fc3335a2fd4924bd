import { STATUS_CODES } from 'node:http'
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { classifyFailure } from '#postgres'

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly slug: string,
    detail: string,
    readonly errors?: readonly { readonly pointer: string; readonly detail: string }[],
  ) {
    super(detail)
  }
}

/** The connection is cut and the caller told nothing, as a provider's time-out is. */
export class NoAnswer extends Error {}

export const problemBody = ({ status, slug, message, errors }: Problem): string =>
  JSON.stringify({
    type: `/problems/${slug}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    ...(errors ? { errors } : {}),
  })

@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>()
    if (error instanceof NoAnswer) {
      reply.hijack()
      reply.raw.destroy()
      return
    }
    const problem = toProblem(error)
    void reply.status(problem.status).header('content-type', 'application/problem+json').send(problemBody(problem))
  }
}

const toProblem = (error: unknown): Problem => {
  if (error instanceof Problem) return error
  const status = error instanceof HttpException ? error.getStatus() : fastifyStatus(error)
  if (status !== undefined && status < 500)
    return new Problem(status, (STATUS_CODES[status] ?? 'error').toLowerCase().replaceAll(' ', '-'), 'the request cannot be handled')
  if (classifyFailure(error) === 'bug') return new Problem(500, 'internal-error', 'something went wrong')
  return new Problem(503, 'unavailable', 'try again later')
}

/** Fastify's own errors (too large, not JSON) say their status. */
const fastifyStatus = (error: unknown): number | undefined =>
  typeof error === 'object' && error !== null && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined
