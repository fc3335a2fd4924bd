import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { memoryTransactions, asMemory } from '#kernel/testing'
import { kafkaLog } from '#messaging'
import { eventually, logConformance, MemoryConsumerStore, runtimeConformance } from '#messaging/testing'
import type { Transaction } from '#kernel'
import { Kafka, logLevel } from 'kafkajs'
import { withKafka } from '../../../test/support/kafka.mjs'

/** Kafka's own tool might do it too, and takes seconds to start. */
const removeTopic = async (brokers: readonly string[], topic: string): Promise<void> => {
  const admin = new Kafka({ brokers: [...brokers], clientId: 'remove', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    await admin.deleteTopics({ topics: [topic] })
    await eventually(`${topic} is gone`, async () => !(await admin.listTopics()).includes(topic))
  } finally {
    await admin.disconnect()
  }
}

withKafka({ describe, it, beforeAll, afterAll }, (kafka) => {
  const driver = () =>
    kafkaLog({
      brokers: kafka().brokers,
      clientId: 'contract',
      sessionTimeout_ms: 3_000,
      heartbeatInterval_ms: 500,
      rebalanceTimeout_ms: 5_000,
    })

  logConformance('Kafka', () => Promise.resolve({ driver, stop: () => Promise.resolve() }), 60_000)

  runtimeConformance(
    'Kafka',
    () => {
      const lines: string[] = []
      return Promise.resolve({
        driver,
        transactions: memoryTransactions(),
        consumerStore: new MemoryConsumerStore(),
        write: (tx: Transaction, line: string) => Promise.resolve(asMemory(tx).onCommit(() => void lines.push(line))),
        written: () => Promise.resolve(lines),
        remove: (topic: string) => removeTopic(kafka().brokers, topic),
        stop: () => Promise.resolve(),
      })
    },
    60_000,
  )
})
