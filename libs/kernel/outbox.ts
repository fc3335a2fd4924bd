import type { OutgoingMessage } from './message.js'

/** A committed thing that must reach the log, in commit order. `messages` may be empty: a position with nothing to publish. */
export interface OutboxEntry {
  readonly position: bigint
  /** When it was recorded, milliseconds since the epoch. */
  readonly time: number
  readonly messages: readonly OutgoingMessage[]
}

/**
 * What the relay follows: a store's committed events and messages by position. Position order is commit order, so nothing can appear
 * behind a position that was already read.
 */
export interface Outbox {
  /** Names the store in every message; a store restored from a backup gets a new one. */
  readonly incarnation: string
  /**
   * Entries after `position`, at most `limit`, in order. Empty: nothing is there now. `to` names the log that they are for: only what may be
   * published there now is answered, nothing where the store publishes to another.
   */
  after(position: bigint, limit: number, to?: string): Promise<readonly OutboxEntry[]>
  /**
   * Takes or renews the relay's lease. Answers where to go on from, or undefined while another relay holds it, or where the store publishes
   * to another log than `to`; the first that asks settles which that is. Each takeover raises the epoch, which fences the one before.
   */
  lease(owner: string, ttl_ms: number, to: string): Promise<{ epoch: bigint; position: bigint } | undefined>
  /** Moves the relay's position: everything up to it was acknowledged by the log. False: the lease was lost. */
  advance(epoch: bigint, position: bigint): Promise<boolean>
  /** Gives the lease back, so that a standby need not wait it out. */
  release(epoch: bigint): Promise<void>
  /** Calls `ring` when something may have been committed. A ring may be missed: the relay polls slowly behind it. */
  onDoorbell(ring: () => void): Promise<{ close(): Promise<void> }>
}
