import { asPg, createPool, pgTransactions } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { messagingMigrations, pgConsumerStore } from '#messaging'
import { MemoryBroker, memoryLog, runtimeConformance } from '#messaging/testing'

runtimeConformance('PostgreSQL', async () => {
  const database = await createTestDatabase(messagingMigrations)
  const pool = createPool(database)
  await pool.query('CREATE TABLE line (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL)')
  const broker = new MemoryBroker()
  return {
    driver: () => memoryLog(broker),
    transactions: pgTransactions(pool),
    consumerStore: pgConsumerStore(pool),
    write: async (tx, line) => void (await asPg(tx).query('INSERT INTO line (text) VALUES ($1)', [line])),
    written: async () => (await pool.query<{ text: string }>('SELECT text FROM line ORDER BY id')).rows.map(({ text }) => text),
    stop: async () => {
      await pool.end()
      await database.drop()
    },
  }
})
