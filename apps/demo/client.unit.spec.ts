import { afterEach, describe, expect, it } from '@jest/globals'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client } from './client.js'

let server: Server | undefined
const shop = async (answers: readonly number[]) => {
  const asked: IncomingMessage[] = []
  server = createServer((request, response) => {
    asked.push(request)
    const status = answers[asked.length - 1] ?? 500
    response.writeHead(status, status === 429 || status === 503 ? { 'retry-after': '0' } : {}).end('{"ok":true}')
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return { client: new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked }
}
afterEach(() => void server?.close())

describe('the client of the demo', () => {
  it('waits when it is told to, and repeats with the same idempotency key', async () => {
    const { client, asked } = await shop([429, 503, 429, 201])
    expect(await client.call('POST', '/v1/orders', { key: 'k-1', body: {} })).toMatchObject({ status: 201, body: { ok: true } })
    expect(asked.map(({ headers }) => headers['idempotency-key'])).toEqual(['k-1', 'k-1', 'k-1', 'k-1'])
    expect(client.throttled).toBe(2)
  })

  it('repeats nothing that was answered', async () => {
    const { client, asked } = await shop([409, 201])
    await expect(client.expect([201], 'POST', '/v1/orders', { body: {} })).rejects.toThrow('answered 409')
    expect(asked).toHaveLength(1)
  })
})
