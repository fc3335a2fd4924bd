// A consumer as a process of its own, to be killed: what it handles it writes down, once for each message it was told.
import { setTimeout as wait } from 'node:timers/promises'
import { Consumer, kafkaLog, pgConsumerStore } from '#messaging'
import { asPg, createPool, pgTransactions } from '#postgres'

const { KAFKA, KAFKA_CLIENT, DATABASE_URL, TOPIC, HANDLER_MS, SESSION_MS } = process.env
const pool = createPool({ url: DATABASE_URL, schema: 'app', applicationName: 'chaos', maxConnections: 4 })
pool.on('error', () => undefined)
const driver = await kafkaLog({
  clientId: 'chaos',
  brokers: [KAFKA],
  ...(KAFKA_CLIENT && { client: KAFKA_CLIENT }),
  sessionTimeout_ms: Number(SESSION_MS),
  heartbeatInterval_ms: 500,
  rebalanceTimeout_ms: 4_000,
})

const handle = async (messages) => {
  // Long enough that a rebalance or a kill comes in the middle of a batch.
  await wait(Number(HANDLER_MS))
  return async (tx) => {
    await asPg(tx).query(
      `INSERT INTO effect (key, seq, partition, by) SELECT key, seq, $3, $4 FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS e (key, seq, n) ORDER BY n`,
      [messages.map(({ key }) => key), messages.map(({ data }) => data.seq), messages[0].partition, process.pid],
    )
  }
}

const consumer = new Consumer(
  {
    driver,
    group: TOPIC,
    transactions: pgTransactions(pool),
    consumerStore: pgConsumerStore(pool),
    maxBatch: 64,
    listener: { onDeferred: ({ error }) => console.error('deferred', error), onLogGap: (gap) => console.error('gap', gap.message) },
  },
  new Map([[TOPIC, handle]]),
)

const start = async () => {
  for (;;) {
    try {
      return await consumer.start()
    } catch {
      await wait(100)
    }
  }
}
process.once('SIGTERM', () => {
  void consumer
    .close(2_000)
    .then(() => driver.close())
    .finally(() => process.exit(0))
})
await start()
