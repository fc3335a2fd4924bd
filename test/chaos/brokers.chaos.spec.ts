import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { asMemory, eventually, memoryTransactions } from '#kernel/testing'
import { Consumer, kafkaLog, type KafkaClientName } from '#messaging'
import { MemoryConsumerStore } from '#messaging/testing'
import { Kafka, logLevel, type Admin } from 'kafkajs'
import { startKafkaCluster, type TestKafkaCluster } from '../support/kafka-cluster.mjs'
import { failWithout, kafkaMissing, skippedWithout } from '../support/kafka.mjs'
import { auditEffects, type Acknowledged } from './messaging-audit.js'
import { beginLoad } from './messaging-load.js'
import { random } from './traffic.js'

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const PARTITIONS = 6
const GOES_ON_MS = 60_000
const BESIDES_MS = 240_000
const CLIENTS: readonly KafkaClientName[] = ['kafkajs', 'platformatic']

const missing = kafkaMissing()

if (!skippedWithout({ describe, it }, 'three brokers', missing)) {
  describe(`three brokers (CHAOS_SEED=${SEED})`, () => {
    let cluster: TestKafkaCluster
    let admin: Admin

    beforeAll(async () => {
      failWithout(missing)
      cluster = await startKafkaCluster()
      admin = new Kafka({ brokers: [...cluster.brokers], clientId: 'operator', logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
    }, BESIDES_MS)
    afterAll(async () => {
      await admin?.disconnect()
      await cluster?.stop()
    }, BESIDES_MS)

    const partitionOf = async (topic: string, partition: number) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)
      if (!found) throw new Error(`${topic}/${partition} is not there`)
      return found
    }

    it.each(CLIENTS)(
      'by %s, nothing is lost, doubled or out of order when a leader is killed, comes back, and a partition is moved away from its leader',
      async (client) => {
        const topic = `moved-${client}`
        const driver = await kafkaLog({
          clientId: client,
          brokers: cluster.brokers,
          client,
          sessionTimeout_ms: 3_000,
          heartbeatInterval_ms: 500,
          rebalanceTimeout_ms: 5_000,
        })
        const effects: Acknowledged[] = []
        const seen = Array.from({ length: PARTITIONS }, () => 0)
        const consumer = new Consumer(
          { driver, group: topic, transactions: memoryTransactions(), consumerStore: new MemoryConsumerStore(), maxBatch: 64 },
          new Map([
            [
              topic,
              (messages) =>
                Promise.resolve((tx) => {
                  asMemory(tx).onCommit(() => {
                    effects.push(...messages.map(({ key, data }) => ({ key, seq: Number(data['seq']) })))
                    for (const { partition } of messages) seen[partition] = (seen[partition] ?? 0) + 1
                  })
                  return Promise.resolve()
                }),
            ],
          ]),
        )
        /** Every partition takes up new messages. */
        const allGoOn = async (after: string): Promise<void> => {
          const before = [...seen]
          await eventually(`all partitions go on after ${after}`, () => seen.every((count, n) => count > (before[n] ?? 0)), GOES_ON_MS)
        }
        try {
          await driver.ensureTopics([{ name: topic, partitions: PARTITIONS, retention_ms: 86_400_000 }])
          await consumer.start()
          const load = beginLoad(driver, topic, random(SEED))
          await allGoOn('the start')

          const { leader: killed } = await partitionOf(topic, 0)
          await cluster.kill(killed)
          await allGoOn(`broker ${killed} was killed`)
          await cluster.start(killed)
          await eventually('it is in sync again', async () => (await partitionOf(topic, 0)).isr.includes(killed), GOES_ON_MS)
          await allGoOn('it came back')

          const { leader, replicas } = await partitionOf(topic, 1)
          const others = replicas.filter((each) => each !== leader)
          await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment: [{ partition: 1, replicas: others }] }] })
          await eventually('another leads it', async () => others.includes((await partitionOf(topic, 1)).leader), GOES_ON_MS)
          await allGoOn('a partition was moved')

          await load.end()
          await eventually('all is handled', () => effects.length >= load.acknowledged.length, GOES_ON_MS)
          expect(auditEffects(load.acknowledged, effects)).toEqual({ lost: 0, doubled: 0, outOfOrder: 0, invented: 0 })
        } finally {
          await consumer.close(5_000)
          await driver.close()
        }
      },
      BESIDES_MS,
    )
  })
}
