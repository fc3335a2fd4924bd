import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { asMemory, eventually, hastened, memoryTransactions } from '#kernel/testing'
import { kafkaLog, partitionName, type KafkaClientName, type LogConsumer, type LogDriver } from '#messaging'
import { logConformance, MemoryConsumerStore, runtimeConformance } from '#messaging/testing'
import { systemClock, type Transaction } from '#kernel'
import { Kafka, logLevel } from 'kafkajs'
import { requestConformance } from '../testing/request-conformance.js'
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

const CLIENTS: readonly KafkaClientName[] = ['kafkajs', 'platformatic']

withKafka({ describe, it, beforeAll, afterAll }, (kafka) => {
  const by = (client: KafkaClientName, sessionTimeout_ms = 3_000) =>
    kafkaLog({
      brokers: kafka().brokers,
      clientId: 'contract',
      client,
      sessionTimeout_ms,
      heartbeatInterval_ms: 500,
      rebalanceTimeout_ms: 5_000,
    })

  // The order in which a running system is moved from one to the other, and back.
  it.each([CLIENTS, CLIENTS.toReversed()])(
    'lets members by %s and by %s share a group, so that one replaces the other process by process',
    async (...clients) => {
      const topic = `shared-by-${clients.join('-and-')}`
      const drivers = await Promise.all(clients.map((client) => by(client)))
      try {
        await drivers[0]?.ensureTopics([{ name: topic, partitions: 4, retention_ms: 86_400_000 }])
        const places = new Map<string, bigint>()
        const seen: string[] = []
        const join = (driver: LogDriver) =>
          driver.consume({
            group: topic,
            topics: [topic],
            maxBatch: 100,
            startOffset: (place) => Promise.resolve(places.get(partitionName(place)) ?? 0n),
            onBatch: (place, records) => {
              seen.push(...records.map(({ key }) => key))
              places.set(partitionName(place), (records.at(-1)?.offset ?? -1n) + 1n)
              return Promise.resolve()
            },
          })
        const members: LogConsumer[] = []
        let sent = 0
        for (const driver of drivers) {
          members.push(await join(driver))
          const fair = 4 / members.length
          await eventually('shared fairly', () => members.every((each) => each.assignment().length === fair))
          const keys = Array.from({ length: 40 }, () => `${sent++}`)
          await (await driver.producer()).send(keys.map((key) => ({ topic, key, headers: {}, value: Buffer.from('x') })))
          await eventually('all read', () => new Set(seen).size === sent)
        }
        await members[0]?.close()
        await eventually('the other took over', () => members[1]?.assignment().length === 4)
        expect(new Set(seen).size).toBe(sent)
      } finally {
        await Promise.all(drivers.map((driver) => driver.close()))
      }
    },
    180_000,
  )

  for (const client of CLIENTS) {
    const driver = () => by(client)

    const withSession = (session_ms: number) => by(client, session_ms)

    logConformance(`Kafka by ${client}`, () => Promise.resolve({ driver, withSession, stop: () => Promise.resolve() }), 180_000)

    requestConformance(`Kafka by ${client}`, () => Promise.resolve({ driver, stop: () => Promise.resolve() }), 180_000)

    runtimeConformance(
      `Kafka by ${client}`,
      () => {
        const lines: string[] = []
        return Promise.resolve({
          // The pauses between tries are ours; the driver and the broker count time alike.
          clock: hastened(systemClock, 10),
          driver,
          transactions: memoryTransactions(),
          consumerStore: new MemoryConsumerStore(),
          write: (tx: Transaction, line: string) => Promise.resolve(asMemory(tx).onCommit(() => void lines.push(line))),
          written: () => Promise.resolve(lines),
          remove: (topic: string) => removeTopic(kafka().brokers, topic),
          stop: () => Promise.resolve(),
        })
      },
      180_000,
    )
  }
})
