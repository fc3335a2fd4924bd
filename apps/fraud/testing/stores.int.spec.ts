import { memoryTransactions } from '#kernel/testing'
import { alertStoreConformance, featureStoreConformance, MemoryAlertStore, MemoryFeatureStore } from './index.js'

const close = () => Promise.resolve()
featureStoreConformance('in-memory', () => Promise.resolve({ store: new MemoryFeatureStore(), transactions: memoryTransactions(), close }))
alertStoreConformance('in-memory', () => Promise.resolve({ store: new MemoryAlertStore(), transactions: memoryTransactions(), close }))
