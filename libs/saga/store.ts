import type { JsonObject, Transaction } from '#kernel'
import type { SagaStatus } from './state.js'

/** One row per saga: what lists and operators look at. The stream is the truth; this is written in the same transaction. */
export interface SagaInstance {
  readonly id: string
  readonly type: string
  readonly definition: number
  /** Unique per type. */
  readonly correlationKey: string
  readonly status: SagaStatus
  /** The step under way. */
  readonly step?: string
  /** In words: `answer to reserve-stock`, `message alert-decided`, `operator: …`. */
  readonly waitingFor?: string
  /** Of its stream. */
  readonly version: number
  readonly startedAt: number
  readonly updatedAt: number
}

/** Something to do at a time: a saga's one timer (named `timer`), or a run of an activity (named by its idempotency key). */
export interface SagaTask {
  readonly sagaId: string
  readonly name: string
  readonly dueAt: number
  readonly correlationId: string
  /** Absent for a timer. */
  readonly run?: { readonly activity: string; readonly attempt: number; readonly input: JsonObject; readonly startedAt: number }
}

/** A task taken by a worker. Should it not be settled before its lease ends it is due again, under a higher epoch. */
export interface ClaimedTask extends SagaTask {
  readonly epoch: bigint
}

export type Claim = Pick<ClaimedTask, 'sagaId' | 'name' | 'epoch'>

export interface SagaChanges {
  readonly instances: readonly SagaInstance[]
  /** Put in place of what has the same saga and name; its lease ends with it. */
  readonly tasks: readonly SagaTask[]
  readonly removed: readonly Pick<SagaTask, 'sagaId' | 'name'>[]
}

export interface SagaFilter {
  readonly type?: string
  /** The version of the definition. */
  readonly definition?: number
  readonly status?: SagaStatus
  /** Not ended, and nothing happened since: milliseconds since the epoch. */
  readonly stuckSince?: number
}

export interface SagaStore {
  save(changes: SagaChanges, tx: Transaction): Promise<void>
  /** Takes up to `limit` tasks that are due, the longest due first, and hides them for `lease_ms`. No two callers get the same. */
  claim(options: {
    readonly now: number
    readonly limit: number
    readonly lease_ms: number
    readonly worker?: bigint
  }): Promise<readonly ClaimedTask[]>
  /** Which of these claims nobody else has taken since, by their index. Read inside the transaction that applies what came of them. */
  held(claims: readonly Claim[], tx: Transaction): Promise<ReadonlySet<number>>
  /**
   * A worker says that it lives until `until`, and makes the tasks of those who no longer do due at once. Answers its number: a new one the
   * first time, and after it was itself taken for dead.
   */
  beat(options: { readonly worker: bigint | undefined; readonly now: number; readonly until: number }): Promise<bigint>
  /** When the next task is due, or undefined when there is none. */
  nextDue(): Promise<number | undefined>
  /** Calls `ring` when tasks may have been saved. A ring may be missed: the worker polls slowly behind it. */
  onDoorbell(ring: () => void): Promise<{ close(): Promise<void> }>
  instance(id: string): Promise<SagaInstance | undefined>
  /** By id, descending (newest first), below `before`. */
  list(filter: SagaFilter, page: { readonly before?: string; readonly limit: number }): Promise<readonly SagaInstance[]>
  /** Definitions that instances which have not ended still hold, with the ids of the first few of each. */
  definitionsInUse(): Promise<
    readonly { readonly type: string; readonly version: number; readonly count: number; readonly examples: readonly string[] }[]
  >
  /** How many instances there are of each type and status. */
  counts(): Promise<readonly { readonly type: string; readonly status: SagaStatus; readonly count: number }[]>
}

export const TIMER = 'timer'
