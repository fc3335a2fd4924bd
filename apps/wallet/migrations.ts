import { eventStoreMigrations } from '#event-store'
import { messagingMigrations } from '#messaging'
import type { Migration } from '#postgres'
import { invariantMigrations } from '#service'
import { foldedBooksMigrations } from './books/pg-folded-books.js'
import { holdExpiryMigrations } from './expiry/pg-hold-expiries.js'

/** All of the wallet's database, for its schema. */
export const migrations: readonly Migration[] = [
  ...eventStoreMigrations,
  ...messagingMigrations,
  ...invariantMigrations,
  ...holdExpiryMigrations,
  ...foldedBooksMigrations,
]
