import { memoryTransactions } from '#kernel/testing'
import { memoryWebhookStore } from '../testing/memory-webhook-store.js'
import { webhookStoreConformance } from '../testing/webhook-store.conformance.js'

webhookStoreConformance('in memory', () => Promise.resolve({ store: memoryWebhookStore(), transactions: memoryTransactions() }))
