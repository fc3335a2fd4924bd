import { afterEach, describe, expect, it } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { appSources, type AppUrls } from './app-sources.js'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const sourcesOf = async (answer: RequestListener) => {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => (server.closeAllConnections(), server.close()))
  return appSources({ wallet: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } as AppUrls)
}

describe('what an app says of itself', () => {
  it('is read no further than 16 MiB, also where it does not say beforehand how long it is', async () => {
    const comment = `# ${'x'.repeat(1_024 * 1_024)}\n`
    const { metrics } = await sourcesOf((_, reply) => {
      for (let times = 0; times < 17; times++) reply.write(comment)
      reply.end()
    })
    await expect(metrics()).rejects.toMatchObject({ status: 503 })
  })

  it('is unavailable where the app breaks off', async () => {
    const { metrics, readiness } = await sourcesOf((_, reply) => {
      reply.write('{')
      setImmediate(() => reply.destroy())
    })
    await expect(metrics()).rejects.toMatchObject({ status: 503 })
    expect((await readiness()).get('wallet')).toMatchObject({ status: 'unavailable' })
  })
})
