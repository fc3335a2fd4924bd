import { memoryTransactions } from '#kernel/testing'
import { memorySagaStore, sagaStoreConformance } from '#saga/testing'

sagaStoreConformance('memory', async () => ({ store: memorySagaStore(), transactions: memoryTransactions(), close: async () => undefined }))
