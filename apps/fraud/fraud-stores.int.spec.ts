import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { PgAlertStore } from './alerts/pg-alert-store.js'
import { fraudTables } from './migrations.js'
import { PgFeatureStore } from './scoring/pg-feature-store.js'
import { alertStoreConformance, featureStoreConformance } from './testing/index.js'

const inPostgres = async <Store>(make: (pool: ReturnType<typeof createPool>) => Store) => {
  const database = await createTestDatabase(fraudTables)
  const pool = createPool(database)
  return {
    store: make(pool),
    transactions: pgTransactions(pool),
    close: async () => {
      await pool.end()
      await database.drop()
    },
  }
}

featureStoreConformance('PostgreSQL', () => inPostgres((pool) => new PgFeatureStore(pool)))
alertStoreConformance('PostgreSQL', () => inPostgres((pool) => new PgAlertStore(pool)))
