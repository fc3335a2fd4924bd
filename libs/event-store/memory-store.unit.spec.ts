import { systemClock } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import { eventStoreConformance, memoryEventStore, MemoryStoreData } from '#event-store/testing'

eventStoreConformance('memory', async () => {
  const data = new MemoryStoreData()
  return {
    open: async (options) => memoryEventStore({ ...options, data, clock: systemClock, app: 'test' }),
    transactions: memoryTransactions(),
    close: async () => undefined,
  }
})
