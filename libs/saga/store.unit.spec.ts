import { memoryTransactions } from '#kernel/testing'
import { systemClock } from '#kernel'
import { memorySagaStore, sagaStoreConformance } from '#saga/testing'

sagaStoreConformance('memory', async () => ({
  store: memorySagaStore(systemClock),
  transactions: memoryTransactions(),
  close: async () => undefined,
}))
