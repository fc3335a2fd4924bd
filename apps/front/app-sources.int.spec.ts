import { afterEach, describe, expect, it } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { appSources, type AppUrls } from './app-sources.js'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const appOf = async (answer: RequestListener): Promise<string> => {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => (server.closeAllConnections(), server.close()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const sourcesOf = async (answer: RequestListener) => appSources({ wallet: await appOf(answer) } as AppUrls)

describe('what an app says of itself', () => {
  it('is read no further than 16 MiB, also where it does not say beforehand how long it is', async () => {
    const part = `"${'x'.repeat(1_024 * 1_024)}",`
    const long: RequestListener = (_, reply) => {
      reply.write('[')
      for (let times = 0; times < 17; times++) reply.write(part)
      reply.end('0]')
    }
    const { openApi, metrics } = await sourcesOf(long)
    await expect(openApi()).rejects.toMatchObject({ status: 503 })
    expect(await metrics()).toBe('')
  })

  it('is unavailable where the app breaks off', async () => {
    const { openApi, readiness } = await sourcesOf((_, reply) => {
      reply.write('{')
      setImmediate(() => reply.destroy())
    })
    await expect(openApi()).rejects.toMatchObject({ status: 503 })
    expect((await readiness()).get('wallet')).toMatchObject({ status: 'unavailable' })
  })

  it('are the metrics of those that answer', async () => {
    const wallet = await appOf((_, reply) => void reply.end('# TYPE up gauge\nup{app="wallet"} 1\n'))
    // A port that nobody listens on.
    const away = 'http://127.0.0.1:1'
    const sources = appSources({ 'order-command': away, 'order-query': away, wallet, 'payment-saga': away, fraud: away })
    expect(await sources.metrics()).toBe('# TYPE up gauge\nup{app="wallet"} 1\n')
    const none = appSources({ 'order-command': away, 'order-query': away, wallet: away, 'payment-saga': away, fraud: away })
    expect(await none.metrics()).toBe('')
  })
})
