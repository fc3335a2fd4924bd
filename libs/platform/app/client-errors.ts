import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { problemOf } from '../errors/problem-filter.js'
import { Problem, PROBLEM_JSON, problemBytes } from '../errors/problem.js'
import { SECURITY_HEADERS } from './security-headers.js'
import { traceOf } from '../observability/request-trace.js'
import { continueTrace } from '#tracing'

/** What Node's HTTP parser refuses has no request: the answer is written on the socket, and the connection ends. */
export const answerHttpErrors = (error: Error & { readonly code?: string }, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const problem = problemOfParser(error.code)
  const body = problemBytes(problem, '/', continueTrace(undefined).traceId)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${body.length}`,
    'connection: close',
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  socket.end(body)
}

/** What Fastify's router refuses (a path that is not valid UTF-8) never comes to a hook or filter. */
export const answerRouterErrors = (
  error: unknown,
  request: { readonly url: string; readonly headers: Readonly<Record<string, unknown>> },
  reply: { hijack(): unknown; readonly raw: ServerResponse },
): void => {
  const problem = problemOf(error)
  const body = problemBytes(problem, request.url.split('?', 1)[0] ?? '/', traceOf(request).traceId)
  reply.hijack()
  reply.raw.writeHead(problem.status, { ...SECURITY_HEADERS, 'content-type': PROBLEM_JSON, 'content-length': body.length })
  reply.raw.end(body)
}

const problemOfParser = (code: string | undefined): Problem => {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem(431, 'headers-too-large', 'The request line and headers are larger than 16 KiB.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem(408, 'request-timeout', 'The request took too long to arrive.')
    default:
      return new Problem(400, 'malformed-request', 'This is not an HTTP request.')
  }
}
