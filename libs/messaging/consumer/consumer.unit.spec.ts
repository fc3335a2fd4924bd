import { expect, it } from '@jest/globals'
import { eventually, memoryTransactions } from '#kernel/testing'
import { Consumer, encodeMessage, type BatchHandler } from '#messaging'
import { MemoryBroker, MemoryConsumerStore, memoryLog } from '#messaging/testing'

it('leaves when its time is over, also where a message that is tried again hangs', async () => {
  const driver = memoryLog(new MemoryBroker())
  await driver.ensureTopics([{ name: 'said', partitions: 1, retention_ms: 60_000 }])
  let tries = 0
  const handler: BatchHandler = () => (++tries === 1 ? Promise.reject(new TypeError('ill')) : new Promise(() => undefined))
  const consumer = new Consumer(
    { driver, group: 'readers', transactions: memoryTransactions(), consumerStore: new MemoryConsumerStore(), firstRetry_ms: 1 },
    new Map([['said', handler]]),
  )
  await consumer.start()
  const said = { topic: 'said', key: 'k', type: 'Said', schemaVersion: 1, data: {}, context: { correlationId: 'c', causationId: 'c' } }
  await (await driver.producer()).send([encodeMessage(said, 'speaker', 0, { incarnation: '', position: 0n, ordinal: 0 })])
  await eventually('it is tried again', () => tries === 2)
  await expect(consumer.close(50)).resolves.toBeUndefined()
  await driver.close()
})
