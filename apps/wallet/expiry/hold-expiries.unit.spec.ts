import { memoryTransactions } from '#kernel/testing'
import { holdExpiriesConformance } from './testing/hold-expiries.conformance.js'
import { memoryHoldExpiries } from './testing/memory-hold-expiries.js'

holdExpiriesConformance('in memory', () => Promise.resolve({ expiries: memoryHoldExpiries(), transactions: memoryTransactions() }))
