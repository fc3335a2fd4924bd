import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Problem, PROBLEM_JSON, problemBody } from '../errors/problem.js'
import { continueTrace } from '../observability/trace.js'

/** What Node's HTTP parser refuses has no request: the answer is written on the socket, and the connection ends. */
export const answerHttpErrors = (error: Error & { readonly code?: string }, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const problem = problemOfParser(error.code)
  const body = JSON.stringify(problemBody(problem, '/', continueTrace(undefined).traceId))
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
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
