import type { FastifyInstance } from 'fastify'
import { METHODS } from 'node:http'

/** How long Node's HTTP server waits, and how much of a head it reads; alike for an app alone and for all in one process. */
export const HTTP_SERVER = {
  requestTimeout: 30_000,
  headersTimeout: 15_000,
  /** Longer than clients and proxies keep an idle connection, so that they let go first: else a request meets a closing socket. */
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
} as const

/** Connections that wait to be taken. With Node's 511 a crowd that comes at once is partly reset; the kernel's limit (somaxconn) is 4,096. */
export const BACKLOG = 4_096

/** Open at once to one process: more are closed as they come, before anything is kept of them. A gateway in front has its own limit. */
export const MAX_CONNECTIONS = 16_384

/** Without a byte for this long a connection is closed. */
export const CONNECTION_TIMEOUT_MS = 60_000

/** Lets every method that HTTP's parser knows come as far as 404 or 405: of those that Fastify does not know it would say 400. */
export const takeAllMethods = (fastify: FastifyInstance): void => {
  for (const method of METHODS) if (!fastify.supportedMethods.includes(method)) fastify.addHttpMethod(method)
}
