import { expect, it } from '@jest/globals'
import { eventually, memoryTransactions } from '#kernel/testing'
import { Consumer, encodeMessage, type BatchHandler } from '#messaging'
import { perMessage } from '../nest/per-message.js'
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

it('takes what a retry did that ends while it closes: it is neither tried again nor parked', async () => {
  const driver = memoryLog(new MemoryBroker())
  await driver.ensureTopics([{ name: 'said', partitions: 1, retention_ms: 60_000 }])
  const consumerStore = new MemoryConsumerStore()
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  let tries = 0
  const handler = perMessage(() => (++tries === 1 ? Promise.reject(new TypeError('ill')) : gate), {
    concurrency: 1,
    isTransient: () => false,
  })
  const consumer = new Consumer(
    { driver, group: 'readers', transactions: memoryTransactions(), consumerStore, firstRetry_ms: 1, maxAttempts: 2 },
    new Map([['said', handler]]),
  )
  await consumer.start()
  const said = { topic: 'said', key: 'k', type: 'Said', schemaVersion: 1, data: {}, context: { correlationId: 'c', causationId: 'c' } }
  await (await driver.producer()).send([encodeMessage(said, 'speaker', 0, { incarnation: '', position: 0n, ordinal: 0 })])
  await eventually('it is tried again', () => tries === 2)
  const closed = consumer.close()
  open()
  await closed
  expect([tries, consumerStore.waiting, consumerStore.parked()]).toEqual([2, 0, []])
  await driver.close()
})

it('knows from its start on whether its group reads another log, also without a partition, and when that is over', async () => {
  const driver = memoryLog(new MemoryBroker())
  await driver.ensureTopics([{ name: 'said', partitions: 1, retention_ms: 60_000 }])
  let log = 'another'
  class Moved extends MemoryConsumerStore {
    override places() {
      return Promise.resolve([{ topic: 'said', partition: 0, next: 1n, log }])
    }
  }
  const consumer = new Consumer(
    { driver, group: 'readers', transactions: memoryTransactions(), consumerStore: new Moved(), tell_ms: 5 },
    new Map([['said', () => Promise.reject(new Error('nothing was said'))]]),
  )
  await consumer.start()
  expect(consumer.isElsewhere()).toBe(true)
  log = driver.name
  await eventually('it was moved', () => !consumer.isElsewhere())
  await consumer.close()
  await driver.close()
})
