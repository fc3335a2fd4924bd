// A store of which all is published, as an app's is: a relay in this process, to the log in the same PostgreSQL.
import { logMigrations, postgresLog, Relay } from '#messaging'
import { migrate } from '#postgres'

const PARTITIONS = 6

/** Each event as one message. */
export const publishAll =
  (topic) =>
  ({ stream, type, data, metadata: { correlationId, commandId } }) => [
    { topic, key: stream, type, schemaVersion: 1, data, context: { correlationId, causationId: commandId } },
  ]

export const relayed = async ({ url, topic, store, pool }) => {
  await migrate({ url, schema: 'log', migrations: logMigrations })
  const driver = postgresLog({ url })
  await driver.ensureTopics([{ name: topic, partitions: PARTITIONS, retention_ms: 86_400_000 }])
  const relay = new Relay({ outbox: store.outbox, driver, app: 'bench' })
  await relay.start()
  return {
    drained: () => drained(pool),
    async stop() {
      await relay.stop()
      await driver.close()
    },
  }
}

/** What was appended is not to be published while another side is measured. `pool` of the store's schema. */
export const drained = async (pool) => {
  const behind = 'SELECT s.position > r.position AS behind FROM store s, relay r'
  while ((await pool.query(behind)).rows[0].behind) await new Promise((resolve) => setTimeout(resolve, 5))
}
