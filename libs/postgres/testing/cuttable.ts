import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Cuttable {
  /** The same database through the line that can be cut. */
  readonly url: string
  /** Ends every connection, and those that come, at once. */
  cut(): void
  /** Lets nothing pass any more over the connections that there are, and tells nobody; those that come are whole. */
  stall(): void
  mend(): void
  close(): Promise<void>
}

/** A line to PostgreSQL that can be cut like a cable: connections under way are lost, new ones are not to be had. */
export const cuttable = async (databaseUrl: string): Promise<Cuttable> => {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let whole = true
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    return socket.on('error', () => socket.destroy())
  }
  const server = createServer((near) => {
    keep(near)
    if (!whole) return near.destroy()
    const far = keep(connect(Number(target.port), target.hostname))
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  const cut = () => {
    whole = false
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    cut,
    stall: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    mend: () => {
      whole = true
    },
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
