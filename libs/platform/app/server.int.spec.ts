import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { systemClock } from '#kernel'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { redisRateLimiter } from '../rate-limit/redis-rate-limiter.js'
import { demoApp, type Demo } from './demo-app.fixture.js'

let demo: Demo
let port: number
beforeAll(async () => {
  demo = await demoApp()
  await demo.app.listen(0, '127.0.0.1')
  port = Number(new URL(await demo.app.getUrl()).port)
})
afterAll(() => demo.app.close())

const raw = async (bytes: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  return text(socket)
}

describe('over a socket', () => {
  it.each([
    ['what is no HTTP', 'HELLO\r\n\r\n', 400],
    ['a head without end', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    ['a path that is not UTF-8', 'GET /v1/jars/%ff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx', 400],
  ])('%s is a problem', async (_, bytes, status) => {
    const answer = await raw(bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain('content-type: application/problem+json\r\n')
    for (const header of [
      'x-content-type-options: nosniff',
      'x-frame-options: DENY',
      "content-security-policy: default-src 'none'; frame-ancestors 'none'",
      'referrer-policy: no-referrer',
      'strict-transport-security: max-age=31536000; includeSubDomains',
    ])
      expect(answer).toContain(`${header}\r\n`)
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({ status })
  })

  it('a body that grows past the limit is refused while it comes', async () => {
    const body = new ReadableStream({
      start(stream) {
        for (let i = 0; i < 40; i++) stream.enqueue(new TextEncoder().encode('x'.repeat(10_000)))
        stream.close()
      },
    })
    const headers = { 'content-type': 'application/json', ...(await demo.as('c-1')) }
    const answer = await fetch(`http://127.0.0.1:${port}/v1/jars`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([413, 'application/problem+json'])
  })
})

describe('the shared rate limit', () => {
  it('is each replica’s own while Redis is away', async () => {
    const limiter = redisRateLimiter('redis://127.0.0.1:1', 'test', { perSecond: 1, burst: 1 }, systemClock)
    expect((await limiter.take('a')).allowed).toBe(true)
    expect(await limiter.take('a')).toMatchObject({ allowed: false, retryAfter_s: 1 })
    await limiter.close()
  })
})
