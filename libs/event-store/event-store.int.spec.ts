import { systemClock } from '#kernel'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { eventStoreMigrations, openEventStore } from '#event-store'
import { eventStoreConformance } from '#event-store/testing'

eventStoreConformance('PostgreSQL', async () => {
  const database = await createTestDatabase(eventStoreMigrations)
  const pool = createPool(database)
  return {
    open: (options) => openEventStore({ ...options, pool, postgres: database, clock: systemClock, app: 'test' }),
    transactions: pgTransactions(pool),
    async close() {
      await pool.end()
      await database.drop()
    },
  }
})
