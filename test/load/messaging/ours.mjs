// The PostgreSQL log as an app uses it: a group that shares partitions, batches in order per key, each with its effect and its offset in one transaction.
import { Consumer, encodeMessage, logMigrations, messagingMigrations, pgConsumerStore, postgresLog } from '#messaging'
import { asPg, createPool, migrate, pgTransactions } from '#postgres'

const TOPIC = 'bench'
const KEYS = 1_000

/** `shared`: producer and consumer are of one process and share its log, as in embedded mode; else each has connections of its own. */
export const openOurs = async (url, { shared }) => {
  await migrate({ url, schema: 'log', migrations: logMigrations })
  await migrate({ url, schema: 'app', migrations: messagingMigrations })
  const pool = createPool({ url, schema: 'app', applicationName: 'bench', maxConnections: 8 })
  const [producing, consuming] = [postgresLog({ url, shared }), postgresLog({ url, shared })]
  await producing.ensureTopics([{ name: TOPIC, partitions: 6, retention_ms: 3_600_000 }])
  const producer = await producing.producer()
  let sent = 0
  const encoded = (data) => {
    const key = data.key ?? `key-${sent % KEYS}`
    sent++
    const message = { topic: TOPIC, key, type: 'Benched', schemaVersion: 1, data, context: { correlationId: key, causationId: 'bench' } }
    return encodeMessage(message, 'bench', Date.now(), { incarnation: 'bench', position: BigInt(sent), ordinal: 0 })
  }
  return {
    fill: (page) => producer.send(page.map(encoded)),
    send: (data) => producer.send([encoded(data)]),
    async consume(onHandled, { effect }) {
      const handler = async (messages) => {
        const payloads = messages.map(({ data }) => data)
        if (!effect) return async () => onHandled(payloads)
        return async (tx) => {
          await effect(asPg(tx), payloads)
          onHandled(payloads)
        }
      }
      const consumer = new Consumer(
        { driver: consuming, group: 'bench', transactions: pgTransactions(pool), consumerStore: pgConsumerStore(pool), maxBatch: 500 },
        new Map([[TOPIC, handler]]),
      )
      await consumer.start()
      return () => consumer.close()
    },
    async close() {
      await producer.close()
      await Promise.all([producing.close(), consuming.close()])
      await pool.end()
    },
  }
}
