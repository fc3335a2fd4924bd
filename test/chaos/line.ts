import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'

/** A line between clients and a server that can be cut and made slow. */
export interface Line {
  readonly port: number
  /** Ends every connection at once. */
  cut(): void
  /** Lets nothing through for so long; then what was held back, in order. */
  stall(for_ms: number): void
  close(): Promise<void>
}

export const openLine = async (to: () => number): Promise<Line> => {
  const sockets = new Set<Socket>()
  let held: NodeJS.Timeout | undefined
  const track = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('close', () => sockets.delete(socket))
    return socket
  }
  const server = createServer((near) => {
    const far = track(createConnection(to(), '127.0.0.1'))
    track(near)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('data', (data) => {
        if (!other.write(data)) one.pause()
      })
      other.on('drain', () => {
        if (held === undefined) one.resume()
      })
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
      if (held !== undefined) one.pause()
    }
  })
  await new Promise<void>((done, failed) => server.once('error', failed).listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    stall(for_ms) {
      clearTimeout(held)
      for (const socket of sockets) socket.pause()
      held = setTimeout(() => {
        held = undefined
        for (const socket of sockets) socket.resume()
      }, for_ms)
    },
    async close() {
      clearTimeout(held)
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
