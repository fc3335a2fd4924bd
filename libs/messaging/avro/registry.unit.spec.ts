import { afterEach, describe, expect, it } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DependencyUnavailable } from '../failure.js'
import { SchemaRegistry } from './registry.js'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const registryAnswering = async (answer: RequestListener): Promise<SchemaRegistry> => {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => (server.closeAllConnections(), server.close()))
  return new SchemaRegistry({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

describe('a schema registry', () => {
  it('that says more than a schema takes is away, and is read no further', async () => {
    const megabyte = 'x'.repeat(1_024 * 1_024)
    let sent = 0
    const registry = await registryAnswering((_, reply) => {
      reply.write('{"schema":"')
      const more = (): void => {
        if (reply.destroyed) return
        sent++
        if (sent === 64) reply.end('"}')
        else reply.write(megabyte, more)
      }
      more()
    })
    const asked = registry.schema(1)
    await expect(asked).rejects.toBeInstanceOf(DependencyUnavailable)
    await expect(asked).rejects.toMatchObject({ cause: new RangeError('the answer is too large') })
    expect(sent).toBeLessThan(64)
  })

  it('may say a schema in pieces', async () => {
    const registry = await registryAnswering((_, reply) => {
      reply.write('{"schema":"{}","schema')
      setImmediate(() => reply.end('Type":"JSON"}'))
    })
    expect(await registry.schema(1)).toEqual({ schema: '{}', schemaType: 'JSON' })
  })
})
