import { memoryEventStore } from '#event-store/testing'
import { memoryTransactions } from '#kernel/testing'
import { alertType } from '../alerts/alert-stream.js'
import { publish } from '../publish.js'
import { MemoryAlertStore, MemoryFeatureStore, scoringBehaviour } from '../testing/index.js'

scoringBehaviour('memory', (clock) =>
  Promise.resolve({
    features: new MemoryFeatureStore(),
    alerts: new MemoryAlertStore(),
    store: memoryEventStore({ types: [alertType], publish, clock, app: 'fraud' }),
    transactions: memoryTransactions(),
    close: () => Promise.resolve(),
  }),
)
