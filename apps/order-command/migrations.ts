import { eventStoreMigrations } from '#event-store'
import { messagingMigrations } from '#messaging'
import { devIssuerMigrations } from '#platform'
import type { Migration } from '#postgres'
import { invariantMigrations } from '#service'

/** All of order-command's database, for its schema. */
export const migrations: readonly Migration[] = [
  ...eventStoreMigrations,
  ...messagingMigrations,
  ...invariantMigrations,
  ...devIssuerMigrations,
]
