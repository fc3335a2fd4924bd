import type { TopicPartition } from '../log.js'
import type { ConsumptionState } from './breaker.js'
import type { LogGap } from './log-gap.js'

/** What a consumer tells of itself; metrics are made of it elsewhere. Every part is optional, and none may throw. */
export interface ConsumerListener {
  /**
   * A batch's effect is committed. `lag_ms`: age of its newest message when it was committed; `duration_ms`: both phases and the commit;
   * `commit_ms`: the transaction alone, 0 where nothing had to be written.
   * `messages` were handled; `repeats` dropped.
   */
  onCommitted?(batch: {
    readonly partition: TopicPartition
    readonly messages: number
    readonly repeats: number
    readonly duration_ms: number
    readonly commit_ms: number
    readonly lag_ms: number
    readonly next: bigint
  }): void
  /** The batch will be delivered again: a dependency is away, the fence was lost, or what failed could not be put aside. */
  onRetry?(failure: { readonly partition: TopicPartition; readonly error: unknown }): void
  /**
   * `open`: no batch of the topic begins in this process, because what its handler needs is away; `half-open`: one probes; `closed`: all go
   * on.
   */
  onBreaker?(change: { readonly topic: string; readonly state: ConsumptionState }): void
  onDeferred?(deferred: {
    readonly partition: TopicPartition
    readonly messages: number
    readonly error?: unknown
    readonly traceparent?: string | undefined
  }): void
  onParked?(letter: {
    readonly id: string
    readonly partition: TopicPartition
    readonly attempts: number
    readonly errorClass: string
    readonly traceparent: string | undefined
  }): void
  /** A partition stands: its place is not in the log. Told once; `healthy()` is false for as long as it stands. */
  onLogGap?(gap: LogGap): void
  onError?(error: unknown): void
}
