import type { Transaction } from '#kernel'
import type { StoredRecord, TopicPartition } from '../log.js'

/** How far a source was read: per partition a source's (incarnation, position, ordinal) only grow, so what is not above it is a repeat. */
export interface Mark {
  readonly source: string
  readonly incarnation: string
  readonly position: bigint
  readonly ordinal: number
}

/** Where a consumer stands in a partition. */
export interface Place extends TopicPartition {
  readonly next: bigint
  readonly log?: string | undefined
}

/** How many messages of a partition are put aside. */
export interface Aside extends TopicPartition {
  readonly deferred: number
  /** In the dead letters, and not sent back since. */
  readonly parked: number
}

/** How far a partition was read. */
export interface ReadUpTo {
  readonly next: bigint
  readonly marks: readonly Mark[]
  /** `fingerprintOf` the record before `next`, where one was read there: in another log there is another. */
  readonly last?: string | undefined
  /** The log that `next` counts in; none where it was not kept yet. */
  readonly log?: string | undefined
}

/** Where a consumer stands in a partition, and what waits there. */
export interface Progress extends ReadUpTo {
  /** Keys that wait in `deferred`: a new message of one of them goes behind. */
  readonly deferredKeys: readonly string[]
}

/** Why a message could not be handled; without its content. */
export interface FailureReport {
  readonly errorClass: string
  readonly message: string
  /** SHA-256 of the stack without the message, 16 hex digits: equal faults have equal ones. */
  readonly stackHash: string
}

export interface DeferredMessage {
  readonly record: StoredRecord
  /** How often it was tried. 0: it waits behind an earlier one of its key. */
  readonly attempts: number
  readonly failure?: FailureReport
  /** When its key is due, milliseconds since the epoch. */
  readonly due_ms: number
  /** Put back from the dead letters: later messages of its key do not wait for it. */
  readonly redriven?: boolean
}

export interface DeadLetter {
  /** See `letterId`. */
  readonly id: string
  readonly record: StoredRecord
  readonly attempts: number
  readonly failure: FailureReport
  readonly parkedAt_ms: number
}

/** `redriven`: sent back, and not handled yet. `recovered`: handled after that. */
export type DeadLetterState = 'parked' | 'redriven' | 'recovered'

/** A change of a dead letter that the log has not been told of. */
export interface LetterChange {
  readonly letter: DeadLetter
  readonly state: DeadLetterState
  /** Counts its changes. */
  readonly revision: number
  readonly at_ms: number
  /** Who sent it back. */
  readonly by?: string
}

export interface RedriveOrder {
  /** Who asks: `sub` of an operator. */
  readonly by: string
  readonly at_ms: number
}

/**
 * What a consumer keeps in its own database. Every write takes part in the caller's transaction: offset, effect and what was put aside are
 * one commit. Offsets in the log are only a hint.
 */
export interface ConsumerStore {
  /** Reads (or begins at `first`) in one snapshot. A place of which it is not known in which log it is, is then in `log`. */
  progress(group: string, partition: TopicPartition, first: bigint, log?: string): Promise<Progress>
  /**
   * The fence: moves `next` from `from` to `to`. False: another consumer moved it, or the group reads another log; roll back. A store may see that only at the commit, which
   * then rejects with `FenceLost`. The rest is replaced.
   */
  advance(tx: Transaction, group: string, partition: TopicPartition, from: bigint, to: ReadUpTo): Promise<boolean>
  /** Puts messages aside, in order. One that is there already stays as it is. */
  defer(tx: Transaction, group: string, messages: readonly DeferredMessage[]): Promise<void>
  /** The first waiting message of each due key of these partitions, at most `limit`. */
  due(group: string, partitions: readonly TopicPartition[], now_ms: number, limit: number): Promise<readonly DeferredMessage[]>
  /** When the earliest key of these partitions is due. */
  nextDue(group: string, partitions: readonly TopicPartition[]): Promise<number | undefined>
  /** Takes one out, locking its key; a dead letter that was sent back is `recovered`. False: it is gone, somebody else handled it. */
  settle(tx: Transaction, group: string, record: StoredRecord, now_ms: number): Promise<boolean>
  /** Whether messages of the key still wait, not counting redriven ones. */
  waits(tx: Transaction, group: string, partition: TopicPartition, key: string): Promise<boolean>
  /** Another try failed: when next. False: it is gone. */
  postpone(tx: Transaction, group: string, message: DeferredMessage): Promise<boolean>
  /** Keeps dead letters until they are redriven; `hold` keeps later messages of the key waiting. */
  park(tx: Transaction, group: string, letters: readonly DeadLetter[]): Promise<void>
  /** Changes of dead letters that the log has not acknowledged yet, the oldest first. None for a `log` that the group does not read, or is leaving. */
  unpublished(group: string, limit: number, log: string): Promise<readonly LetterChange[]>
  /** The log has these. One that changed again since is still to be told, and all are where the group is leaving that log. */
  published(group: string, changes: readonly LetterChange[], log: string): Promise<void>
  /** Back to `deferred`, due now. False: unknown, or already redriven and not parked again since. */
  redrive(tx: Transaction, group: string, id: string, order: RedriveOrder): Promise<boolean>
  /** Removes dead letters that recovered before that time, once the log was told, at most `limit`. Answers how many. */
  forgetRecovered(group: string, before_ms: number, limit: number): Promise<number>
  /** Every partition that the group was ever in. */
  places(group: string): Promise<readonly Place[]>
  /** Partitions with something aside. */
  aside(group: string): Promise<readonly Aside[]>
}
