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
  readonly run?: {
    readonly activity: string
    readonly attempt: number
    readonly input: JsonObject
    readonly startedAt: number
    readonly traceparent?: string
  }
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
  /** The clock by which `tasks` are due, so that only how long they wait from now counts. */
  readonly now: number
}

export interface SagaFilter {
  readonly type?: string
  /** The version of the definition. */
  readonly definition?: number
  readonly status?: SagaStatus
  /** Not ended, and nothing happened since: milliseconds since the epoch. */
  readonly stuckSince?: number
}

/** Whose the tasks are that somebody takes, how many at most, and for how long. */
export interface Taking {
  readonly limit: number
  readonly lease_ms: number
  readonly worker?: bigint
}

/** Of what is saved, who saves it takes runs that are due at once. */
export interface TakingAtSave extends Taking {
  /** Called once the transaction has committed. */
  taken(tasks: readonly ClaimedTask[]): void
}

/** Leases, beats and what is due go by the store's one clock, the database's, so that hosts whose clocks differ do not take from each other. */
export interface SagaStore {
  /** With `take`, runs among the tasks that are due at once are saved as taken: who settles a step takes the next. */
  save(changes: SagaChanges, tx: Transaction, take?: TakingAtSave): Promise<void>
  /** Takes up to `limit` tasks that are due, the longest due first, and hides them for `lease_ms`. No two callers get the same. */
  claim(taking: Taking): Promise<readonly ClaimedTask[]>
  /** Which of these claims nobody else has taken since, by their index. Read inside the transaction that applies what came of them. */
  held(claims: readonly Claim[], tx: Transaction): Promise<ReadonlySet<number>>
  /**
   * A worker says that it lives, for `alive_ms` from now, and makes the tasks of those who no longer do due at once. Answers its number: a new
   * one the first time, and after it was itself taken for dead.
   */
  beat(options: { readonly worker: bigint | undefined; readonly alive_ms: number }): Promise<bigint>
  /** In how many milliseconds the next task is due; below zero when it is overdue, undefined when there is none. */
  dueIn(): Promise<number | undefined>
  /** Calls `ring` when tasks may have been saved. A ring may be missed: the worker polls slowly behind it. */
  onDoorbell(ring: () => void): Promise<{ close(): Promise<void> }>
  instance(id: string): Promise<SagaInstance | undefined>
  /** By id, descending (newest first), below `before`. */
  list(filter: SagaFilter, page: { readonly before?: string; readonly limit: number }): Promise<readonly SagaInstance[]>
  /** Definitions that instances which have not ended still hold, with the ids of the first few of each. */
  definitionsInUse(): Promise<
    readonly { readonly type: string; readonly version: number; readonly count: number; readonly examples: readonly string[] }[]
  >
  /** How many instances have not ended, by type and status, and since when the oldest of them is under way, in milliseconds since the epoch. */
  counts(): Promise<readonly { readonly type: string; readonly status: SagaStatus; readonly count: number; readonly since_ms: number }[]>
}

export const TIMER = 'timer'

/** Names a task among all. */
export const at = ({ sagaId, name }: Pick<SagaTask, 'sagaId' | 'name'>): string => `${sagaId} ${name}`

/** Which of these tasks who saves them takes: runs that were due when they were asked for. Only a worker that is known can be missed. */
export const takenOf = (tasks: readonly SagaTask[], take: Taking | undefined): ReadonlyMap<string, SagaTask> => {
  if (take?.worker === undefined) return new Map()
  const due = tasks.filter(({ run, dueAt }) => run && run.attempt === 1 && dueAt <= run.startedAt)
  return new Map(due.slice(0, take.limit).map((task) => [at(task), task]))
}
