import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { answerHttpErrors, BACKLOG, CONNECTION_TIMEOUT_MS, HTTP_SERVER, MAX_CONNECTIONS } from '#platform'
import { StartRefused } from './home.js'

/** Taken first, so that a port in use is said before anything is started. Until the apps are there it answers 503. */
export const listen = (port: number, host: string): Promise<Server> =>
  new Promise((done, failed) => {
    const server = createServer(HTTP_SERVER, (request, response) => {
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' })
      response.end(
        JSON.stringify({
          type: '/problems/starting',
          title: 'Starting',
          status: 503,
          detail: 'The platform is starting: try again in a second.',
          instance: request.url?.split('?', 1)[0],
          traceId: crypto.randomUUID().replaceAll('-', ''),
        }),
      )
    })
    server.setTimeout(CONNECTION_TIMEOUT_MS)
    server.maxConnections = MAX_CONNECTIONS
    server.on('clientError', (error: Error, socket) => answerHttpErrors(error, socket as Socket))
    server.once('error', (error: NodeJS.ErrnoException) => failed(refusal(error, port)))
    server.listen({ port, host, backlog: BACKLOG }, () => done(server))
  })

export const portOf = (server: Server): number => {
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server does not listen on a port')
  return address.port
}

const refusal = (error: NodeJS.ErrnoException, port: number): Error => {
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartRefused(`port ${port} is taken: stop what uses it, or choose another with PORT=3001 npm start`)
    case 'EACCES':
      return new StartRefused(`port ${port} may not be used by this user: choose another with PORT=3001 npm start`)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartRefused(
        '--host is not an address of this machine: leave it out for this machine alone, or say 0.0.0.0 for every network',
      )
    default:
      return error
  }
}
