import { openEventStore } from '#event-store'
import { createPool, pgTransactions } from '#postgres'
import { createTestDatabase } from '#postgres/testing'
import { alertType } from '../alerts/alert-stream.js'
import { PgAlertStore } from '../alerts/pg-alert-store.js'
import { migrations } from '../migrations.js'
import { publish } from '../publish.js'
import { scoringBehaviour } from '../testing/index.js'
import { PgFeatureStore } from './pg-feature-store.js'

scoringBehaviour('PostgreSQL', async (clock) => {
  const database = await createTestDatabase(migrations)
  const pool = createPool(database)
  const store = await openEventStore({ pool, postgres: database, types: [alertType], publish, clock, app: 'fraud' })
  return {
    features: new PgFeatureStore(pool),
    alerts: new PgAlertStore(pool),
    store,
    transactions: pgTransactions(pool),
    close: async () => {
      await store.close()
      await pool.end()
      await database.drop()
    },
  }
})
