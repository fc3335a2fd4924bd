import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { memoryTransactions, asMemory } from '#kernel/testing'
import { kafkaLog } from '#messaging'
import { logConformance, MemoryConsumerStore, runtimeConformance } from '#messaging/testing'
import type { Transaction } from '#kernel'
import { withKafka } from '../../../test/support/kafka.mjs'

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
        stop: () => Promise.resolve(),
      })
    },
    60_000,
  )
})
