import { eventStoreMigrations } from '#event-store'
import { messagingMigrations } from '#messaging'
import type { Migration } from '#postgres'
import { invariantMigrations } from '#service'
import { sagaMigrations } from '#saga'
import { ledgerMigrations } from './ledger/migrations.js'
import { reconciliationMigrations } from './reconciliation/migrations.js'
import { webhookMigrations } from './webhooks/pg-webhook-store.js'

/** All of the app's database, for its schema. */
export const migrations: readonly Migration[] = [
  ...eventStoreMigrations,
  ...messagingMigrations,
  ...invariantMigrations,
  ...sagaMigrations,
  ...webhookMigrations,
  ...ledgerMigrations,
  ...reconciliationMigrations,
]
