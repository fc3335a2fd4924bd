import type { EventStore } from '#event-store'
import type { BatchHandler, ConsumerStore } from '#messaging'
import type { Activity, AnySaga, Routes, SagaStore } from '#saga'
import type { Rules as WalletRules } from '../../apps/wallet/rules.js'
import type { Database } from './database.js'
import type { Life } from './process.js'
import type { AppliedVersions } from '#projections'

/** Where a test puts a bug in, to see whether the simulator finds it. What is absent is as in production. */
export interface Plant {
  /** What becomes of a database before a process of its starts on it. */
  readonly restarted?: (database: Database) => void
  readonly store?: (store: EventStore, life: Life) => EventStore
  readonly consumerStore?: (store: ConsumerStore, life: Life) => ConsumerStore
  readonly handler?: (handler: BatchHandler, topic: string, life: Life) => BatchHandler
  readonly walletRules?: (rules: WalletRules) => WalletRules
  readonly sagaStore?: (store: SagaStore) => SagaStore
  readonly definitions?: (definitions: readonly AnySaga[]) => readonly AnySaga[]
  readonly routes?: (routes: Routes) => Routes
  readonly activities?: (activities: Readonly<Record<string, Activity>>) => Readonly<Record<string, Activity>>
  readonly versions?: (versions: Pick<AppliedVersions, 'waitFor'>) => Pick<AppliedVersions, 'waitFor'>
  /** What a client sends under the same key again. */
  readonly commandId?: (commandId: string, attempt: number) => string
}
