import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { kafkaLog } from '#messaging'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'

let broker: Server
let asked = 0
const uncaught: unknown[] = []
const note = (error: unknown) => void uncaught.push(error)

/** A broker that is killed with a request unread: its kernel sends RST. */
beforeAll(async () => {
  broker = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      asked++
      socket.resetAndDestroy()
    })
  })
  broker.listen(0, '127.0.0.1')
  await once(broker, 'listening')
  process.on('uncaughtException', note)
})
afterAll(() => {
  process.off('uncaughtException', note)
  broker.close()
})

it('that a broker resets while it authenticates is a passing failure, and ends no process', async () => {
  const { port } = broker.address() as AddressInfo
  const driver = await kafkaLog({
    clientId: 'test',
    brokers: [`127.0.0.1:${port}`],
    sasl: { mechanism: 'scram-sha-512', username: 'app', password: 'secret' },
  })
  await expect(driver.offsets('said')).rejects.toMatchObject({ name: 'DependencyUnavailable' })
  await driver.close()
  expect(asked).toBeGreaterThan(0)
  expect(uncaught).toEqual([])
})
