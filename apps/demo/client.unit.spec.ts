import { afterEach, describe, expect, it } from '@jest/globals'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client } from './client.js'

let server: Server | undefined
const shop = async (answers: readonly number[], { retryAfter = '0', chance = 0 } = {}) => {
  const asked: IncomingMessage[] = []
  server = createServer((request, response) => {
    asked.push(request)
    const status = answers[asked.length - 1] ?? 500
    response.writeHead(status, status === 429 || status === 503 ? { 'retry-after': retryAfter } : {}).end('{"ok":true}')
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const pauses_ms: number[] = []
  const pause = async (ms: number) => void pauses_ms.push(ms)
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, pause, () => chance)
  return { client, asked, pauses_ms }
}
afterEach(() => void server?.close())

describe('the client of the demo', () => {
  it('waits when it is told to, and repeats with the same idempotency key', async () => {
    const { client, asked } = await shop([429, 503, 429, 201])
    expect(await client.call('POST', '/v1/orders', { key: 'k-1', body: {} })).toMatchObject({ status: 201, body: { ok: true } })
    expect(asked.map(({ headers }) => headers['idempotency-key'])).toEqual(['k-1', 'k-1', 'k-1', 'k-1'])
    expect(client.throttled).toBe(2)
  })

  it.each([
    ['7', 0, 7_000],
    ['7', 0.5, 8_750],
    ['30', 0.9, 30_000],
    ['Sun, 29 Nov 2026 00:00:00 GMT', 0, 250],
  ])('told to come back after %s, with chance %d, it waits %d ms: never less than it was told', async (retryAfter, chance, expected) => {
    const { client, pauses_ms } = await shop([429, 503, 200], { retryAfter, chance })
    await client.call('GET', '/v1/products')
    expect(pauses_ms).toEqual([expected, expected])
  })

  it('gives up where it is told to wait for longer than half a minute, rather than come back early', async () => {
    const { client, asked, pauses_ms } = await shop([503, 200], { retryAfter: '31' })
    await expect(client.call('GET', '/v1/products')).rejects.toThrow('GET /v1/products: told to come back after 31 s')
    expect([asked.length, pauses_ms]).toEqual([1, []])
  })

  it('repeats nothing that was answered', async () => {
    const { client, asked } = await shop([409, 201])
    await expect(client.expect([201], 'POST', '/v1/orders', { body: {} })).rejects.toThrow('answered 409')
    expect(asked).toHaveLength(1)
  })
})
