import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { demoApp, type Demo } from './demo-app.fixture.js'

let demo: Demo
let port: number
beforeAll(async () => {
  demo = await demoApp()
  await demo.app.listen(0, '127.0.0.1')
  port = Number(new URL(await demo.app.getUrl()).port)
})
afterAll(() => demo.app.close())

const MB = 1_048_576

describe('who wants to use up the server', () => {
  it('by a header of 100 MB is let go before much of it has come, and others go on', async () => {
    // It is told 431 (server.int.spec.ts), which a reset by what was still on its way may take from it.
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    socket.resume().write('GET /v1/jars HTTP/1.1\r\nhost: x\r\nx-large: ')
    const piece = Buffer.alloc(MB, 'y')
    let sent = 0
    // At the speed of the reader, until it has gone.
    while (sent < 100 && !socket.destroyed) {
      sent++
      if (!socket.write(piece)) await Promise.race([gone, new Promise<void>((resolve) => socket.once('drain', () => resolve()))])
    }
    await gone
    // What the kernel's buffers hold comes on top of the 16 KiB that were read.
    expect(sent).toBeLessThan(20)
    expect((await fetch(`http://127.0.0.1:${port}/v1/jars`, { headers: await demo.as('c-1') })).status).toBe(200)
  })

  it('by 10,000 connections that say nothing keeps nobody else out', async () => {
    const idle = await crowd(10_000)
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/jars`, { headers: await demo.as('c-1') })
      expect(answer.status).toBe(200)
    } finally {
      idle.kill('SIGKILL')
      await once(idle, 'exit')
    }
  })

  it('finds every wait and number bounded: heads, requests, silence, connections', () => {
    const server = demo.app.getHttpServer() as unknown as Partial<Record<string, number>>
    const { headersTimeout = 0, requestTimeout = 0, timeout = 0, maxConnections = 0 } = server
    // To Node 0 is no bound at all.
    for (const wait_ms of [headersTimeout, requestTimeout, timeout]) {
      expect(wait_ms).toBeGreaterThan(0)
      expect(wait_ms).toBeLessThanOrEqual(60_000)
    }
    expect(headersTimeout).toBeLessThan(requestTimeout)
    expect(maxConnections).toBeGreaterThan(10_000)
    expect(maxConnections).toBeLessThanOrEqual(65_536)
  })
})

/** By a process of its own: both ends of ten thousand connections are more files than one may have open. */
const crowd = async (size: number): Promise<ChildProcess> => {
  const script = `
    const { connect } = require('node:net')
    let open = 0
    const more = () => {
      const socket = connect(${port}, '127.0.0.1', () => (++open === ${size} ? console.log('all') : undefined))
      socket.on('error', (error) => { console.log(error.code); process.exit(1) })
    }
    for (let i = 0; i < ${size}; i++) setTimeout(more, i / 10)`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    expect(line).toBe('all')
    break
  }
  return child
}
