import type { Migration } from '#postgres'
import { parseConfig } from '#platform'
import type { Invariant, Patient } from '#service'
import { fraudConfig } from '../../fraud/fraud.config.js'
import { invariants as fraudInvariants } from '../../fraud/invariants.js'
import { migrations as fraudMigrations } from '../../fraud/migrations.js'
import { invariants as orderCommandInvariants } from '../../order-command/invariants.js'
import { migrations as orderCommandMigrations } from '../../order-command/migrations.js'
import { orderCommandConfig } from '../../order-command/order-command.config.js'
import { invariants as orderQueryInvariants } from '../../order-query/invariants.js'
import { migrations as orderQueryMigrations } from '../../order-query/migrations.js'
import { orderQueryConfig } from '../../order-query/order-query.config.js'
import { invariants as paymentSagaInvariants } from '../../payment-saga/invariants.js'
import { migrations as paymentSagaMigrations } from '../../payment-saga/migrations.js'
import { paymentSagaConfig } from '../../payment-saga/payment-saga.config.js'
import { invariants as walletInvariants } from '../../wallet/invariants.js'
import { migrations as walletMigrations } from '../../wallet/migrations.js'
import { walletConfig } from '../../wallet/wallet.config.js'
import type { AppName } from '../../front/routing-table.js'

/** An app of the platform of `npm start`, where all are one process and each has a schema. */
export interface PlatformPatient extends Patient {
  readonly schema: string
}

const patient = (
  schema: string,
  read: Patient['read'],
  migrations: readonly Migration[],
  invariants: readonly Invariant[],
): PlatformPatient => ({
  schema,
  read,
  migrations,
  invariants,
  publishes: schema !== 'order_query',
})

export const PATIENTS: Readonly<Record<AppName, PlatformPatient>> = {
  'order-command': patient('order_command', (env) => parseConfig(orderCommandConfig, env), orderCommandMigrations, orderCommandInvariants),
  'order-query': patient('order_query', (env) => parseConfig(orderQueryConfig, env), orderQueryMigrations, orderQueryInvariants),
  wallet: patient('wallet', (env) => parseConfig(walletConfig, env), walletMigrations, walletInvariants),
  'payment-saga': patient('payment_saga', (env) => parseConfig(paymentSagaConfig, env), paymentSagaMigrations, paymentSagaInvariants),
  fraud: patient('fraud', (env) => parseConfig(fraudConfig, env), fraudMigrations, fraudInvariants),
}
