import {
  createServer,
  request as send,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRouter } from '../../apps/front/router.js'
import { ROUTES, type AppName } from '../../apps/front/routing-table.js'

export interface Gateway {
  readonly url: string
  /** Where an app answers: each replica in turn. */
  readonly replicas: Map<AppName, readonly string[]>
  close(): Promise<void>
}

const TIMEOUT_MS = 30_000

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding'])

/** What is said from hop to hop (RFC 9110, 7.6.1) is not handed on: who believed a replica's Keep-Alive would find its connection to us gone. */
const endToEnd = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))

/**
 * One base URL over processes, by the routing table. As in front of a deployment, a request that never reached a replica (its connection
 * was refused) goes to the next; one that was under way when its replica died is answered 502, for the caller to send again.
 */
export const startGateway = async (): Promise<Gateway> => {
  const replicas = new Map<AppName, readonly string[]>()
  let turn = 0
  const forward =
    (app: AppName) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const urls = replicas.get(app) ?? []
        const first = turn++
        const order = urls.map((_, index) => urls[(first + index) % urls.length]!)
        pass(request, Buffer.concat(parts), response, order)
      })
    }
  const none = (_: IncomingMessage, response: ServerResponse): void => void response.writeHead(404).end()
  const listener: RequestListener = createRouter(ROUTES, {
    apps: {
      'order-command': forward('order-command'),
      'order-query': forward('order-query'),
      wallet: forward('wallet'),
      'payment-saga': forward('payment-saga'),
      fraud: forward('fraud'),
    },
    front: none,
    sandbox: none,
  })
  const server: Server = createServer(listener)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    replicas,
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

const pass = (request: IncomingMessage, body: Buffer, response: ServerResponse, [url, ...others]: readonly string[]): void => {
  const fail = (status: number): void => {
    if (!response.headersSent) response.writeHead(status)
    response.end()
  }
  if (url === undefined) return fail(503)
  const { method } = request
  const headers = endToEnd(request.headers)
  const upstream = send(`${url}${request.url ?? '/'}`, { method, headers, agent: false, timeout: TIMEOUT_MS }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers))
    answer.on('error', () => response.destroy())
    answer.pipe(response)
  })
  upstream.on('timeout', () => upstream.destroy(new Error('time-out')))
  upstream.on('error', (error: NodeJS.ErrnoException) =>
    error.code === 'ECONNREFUSED' ? pass(request, body, response, others) : fail(502),
  )
  upstream.end(body)
}
