import type { Migration } from '#postgres'
import type { Invariant } from '#service'
import { parseConfig, type BaseConfig } from '#platform'
import { fraudConfig } from '../../../fraud/fraud.config.js'
import { invariants as fraudInvariants } from '../../../fraud/invariants.js'
import { migrations as fraudMigrations } from '../../../fraud/migrations.js'
import { invariants as orderCommandInvariants } from '../../../order-command/invariants.js'
import { migrations as orderCommandMigrations } from '../../../order-command/migrations.js'
import { orderCommandConfig } from '../../../order-command/order-command.config.js'
import { invariants as orderQueryInvariants } from '../../../order-query/invariants.js'
import { migrations as orderQueryMigrations } from '../../../order-query/migrations.js'
import { orderQueryConfig } from '../../../order-query/order-query.config.js'
import { invariants as paymentSagaInvariants } from '../../../payment-saga/invariants.js'
import { migrations as paymentSagaMigrations } from '../../../payment-saga/migrations.js'
import { paymentSagaConfig } from '../../../payment-saga/payment-saga.config.js'
import { invariants as walletInvariants } from '../../../wallet/invariants.js'
import { migrations as walletMigrations } from '../../../wallet/migrations.js'
import { walletConfig } from '../../../wallet/wallet.config.js'
import type { AppName } from '../../routing-table.js'

/** What is read of any app's configuration. */
export type PatientConfig = BaseConfig & { readonly KEYS_DATABASE_URL?: string }

export type Environment = Readonly<Record<string, string | undefined>>

export interface Patient {
  readonly schema: string
  /** Throws `InvalidConfig`. */
  read(env: Environment): PatientConfig
  readonly migrations: readonly Migration[]
  readonly invariants: readonly Invariant[]
  /** It has an event store with a relay that publishes from it. */
  readonly publishes: boolean
}

const patient = (schema: string, read: Patient['read'], migrations: readonly Migration[], invariants: readonly Invariant[]): Patient => ({
  schema,
  read,
  migrations,
  invariants,
  publishes: schema !== 'order_query',
})

export const PATIENTS: Readonly<Record<AppName, Patient>> = {
  'order-command': patient('order_command', (env) => parseConfig(orderCommandConfig, env), orderCommandMigrations, orderCommandInvariants),
  'order-query': patient('order_query', (env) => parseConfig(orderQueryConfig, env), orderQueryMigrations, orderQueryInvariants),
  wallet: patient('wallet', (env) => parseConfig(walletConfig, env), walletMigrations, walletInvariants),
  'payment-saga': patient('payment_saga', (env) => parseConfig(paymentSagaConfig, env), paymentSagaMigrations, paymentSagaInvariants),
  fraud: patient('fraud', (env) => parseConfig(fraudConfig, env), fraudMigrations, fraudInvariants),
}
