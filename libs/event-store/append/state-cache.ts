import type { Clock } from '#kernel'
import { LRUCache } from 'lru-cache'
import { serialize } from 'node:v8'
import type { StreamEntry } from './decide.js'

export interface CachedEntry extends StreamEntry {
  /** Version of the stream's newest snapshot, as far as this process knows. */
  readonly snapshotVersion: number
  /** An estimate of the memory it takes. */
  readonly size_bytes: number
  /** What the estimate may grow to before the state is measured again. */
  readonly measureAt_bytes: number
}

const OVERHEAD_BYTES = 512
/** An order whose steps are done is not asked for again for hours, and to load a state anew is one trip. */
const IDLE_MS = 300_000

/**
 * States of streams, bounded in bytes, the least recently used out first; what nobody asked for in five minutes goes too, so that a process holds
 * what is being worked on and not all that it ever saw. An entry may be behind what is stored, or of a transaction that
 * was rolled back: whoever appends is guarded by version and head hash, so that a wrong entry costs a second decision and nothing else.
 */
export class StateCache {
  readonly #entries: LRUCache<string, CachedEntry>

  constructor(max_bytes: number, clock: Pick<Clock, 'now'>) {
    this.#entries = new LRUCache({
      maxSize: max_bytes,
      sizeCalculation: (entry) => entry.size_bytes,
      ttl: IDLE_MS,
      updateAgeOnGet: true,
      perf: clock,
      ttlResolution: 0,
    })
  }

  get(stream: string): CachedEntry | undefined {
    return this.#entries.get(stream)
  }

  /** Keeps the entry; answers how it is kept. A state is measured when it may have doubled, so that measuring costs little per event. */
  put(stream: string, entry: StreamEntry, grown_bytes: number, snapshotVersion?: number): CachedEntry {
    const before = this.#entries.peek(stream)
    const estimate = before ? before.size_bytes + grown_bytes : Infinity
    const measured = before === undefined || estimate > before.measureAt_bytes ? measure(entry.state) : undefined
    const size_bytes = measured ?? estimate
    const kept: CachedEntry = {
      version: entry.version,
      state: entry.state,
      head: entry.head,
      time: entry.time,
      snapshotVersion: snapshotVersion ?? before?.snapshotVersion ?? 0,
      size_bytes,
      measureAt_bytes: measured === undefined && before ? before.measureAt_bytes : Math.max(size_bytes * 2, 8_192),
    }
    this.#entries.set(stream, kept)
    return kept
  }

  /** Notes a snapshot that was taken. */
  snapshotTaken(stream: string, version: number): void {
    const entry = this.#entries.peek(stream)
    if (entry && entry.snapshotVersion < version) this.#entries.set(stream, { ...entry, snapshotVersion: version })
  }

  drop(stream: string): void {
    this.#entries.delete(stream)
  }

  /** Gives back the memory of what has been idle for too long; answers how many it let go. Looks at every entry: to be called now and then. */
  dropIdle(): number {
    const before = this.#entries.size
    this.#entries.purgeStale()
    return before - this.#entries.size
  }
}

/** Objects take about twice what they take serialised. */
const measure = (state: unknown): number => {
  try {
    return serialize(state).length * 2 + OVERHEAD_BYTES
  } catch {
    // Holds something that cannot be cloned (a function): guess high rather than fail.
    return 16_384
  }
}
