// A kafkajs consumer of the same work, on a Kafka of its own: each batch's effect and its offset in one transaction in PostgreSQL, read on from there.
import { Kafka, logLevel } from 'kafkajs'
import { createPool } from '#postgres'
import { startKafka } from '../../support/kafka.mjs'

const TOPIC = 'bench'
const PARTITIONS = 6
const KEYS = 1_000

export const openKafkajs = async (url) => {
  const broker = await startKafka()
  const kafka = new Kafka({ clientId: 'bench', brokers: [...broker.brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }], waitForLeaders: true })
  await admin.disconnect()
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  const pool = createPool({ url, schema: 'public', applicationName: 'bench', maxConnections: 8 })
  await pool.query('CREATE TABLE IF NOT EXISTS place (partition int PRIMARY KEY, next bigint NOT NULL)')
  await pool.query('INSERT INTO place SELECT generate_series(0, $1 - 1), 0 ON CONFLICT DO NOTHING', [PARTITIONS])
  let sent = 0
  const encoded = (data) => ({ key: `key-${sent++ % KEYS}`, value: JSON.stringify(data) })
  const send = (page) => producer.send({ topic: TOPIC, acks: -1, messages: page.map(encoded) })
  return {
    fill: send,
    send: (data) => send([data]),
    async consume(onHandled, { effect }) {
      const consumer = kafka.consumer({ groupId: 'bench', sessionTimeout: 10_000, maxWaitTimeInMs: 100 })
      await consumer.connect()
      await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
      const { rows: places } = await pool.query('SELECT partition, next FROM place')
      consumer.on(consumer.events.GROUP_JOIN, () => {
        for (const { partition, next } of places) consumer.seek({ topic: TOPIC, partition, offset: String(next) })
      })
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: PARTITIONS,
        eachBatch: async ({ batch: { partition, messages } }) => {
          const payloads = messages.map(({ value }) => JSON.parse(value.toString()))
          const client = await pool.connect()
          try {
            await client.query('BEGIN')
            if (effect) await effect(client, payloads)
            const next = BigInt(messages.at(-1).offset) + 1n
            const { rowCount } = await client.query({
              name: 'bench-place',
              text: 'UPDATE place SET next = $2 WHERE partition = $1 AND next = $3',
              values: [partition, next, BigInt(messages[0].offset)],
            })
            if (rowCount !== 1) throw new Error(`partition ${partition} is not where it was`)
            await client.query('COMMIT')
          } finally {
            client.release()
          }
          onHandled(payloads)
        },
      })
      return () => consumer.disconnect()
    },
    async close() {
      await producer.disconnect()
      await pool.end()
      await broker.stop()
    },
  }
}
