import { memoryTransactions } from '#kernel/testing'
import { memoryRows, rowStoreConformance, type MemoryRowStore } from '#projections/testing'
import type { RowStore } from './rows.js'

rowStoreConformance('in memory', async () => {
  let rows: MemoryRowStore = memoryRows()
  const current: RowStore = {
    advance: (tx, streams) => rows.advance(tx, streams),
    upsert: (tx, upserts) => rows.upsert(tx, upserts),
    applied: (streams) => rows.applied(streams),
    onApplied: (ring) => rows.onApplied(ring),
  }
  return {
    rows: current,
    transactions: memoryTransactions(),
    read: async (of) => rows.rows(of).map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))),
    clear: async () => void (rows = memoryRows()),
    close: async () => undefined,
  }
})
