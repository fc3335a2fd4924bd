import type { Clock, Random } from '#kernel'
import { backoff_ms } from './backoff.js'
import type { ConsumeOptions, StoredRecord, TopicPartition } from './log.js'

/** Where a lane's records come from. */
export interface LaneSource {
  /** Records from exactly `offset` on that are at hand, at most `limit`. */
  ready(offset: bigint, limit: number): readonly StoredRecord[]
  /** Whether there is something from `offset` on that must be fetched. */
  more(offset: bigint): boolean
  /** Answers with `Lane.fill`. */
  fetch(offset: bigint, limit: number, generation: number): void
}

/**
 * One assigned partition: delivers its batches one after another, fetches the next while one is handled, and after a rejected one goes back
 * to `startOffset` with backoff.
 */
export class Lane {
  readonly #aborter = new AbortController()
  #buffer: StoredRecord[] = []
  /** The offset after everything delivered or buffered. */
  #head = 0n
  #generation = 0
  #fetching = false
  #paused = false
  #stopping = false
  #started = false
  #running: Promise<void> | undefined

  constructor(
    readonly place: TopicPartition,
    private readonly source: LaneSource,
    private readonly options: ConsumeOptions,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  start(): void {
    this.#running = this.#begin()
      .then(() => this.#deliver())
      .finally(() => this.#idle())
  }

  /** Something may be new. */
  kick(): void {
    if (!this.#started || this.#running || this.#paused || this.#stopping) return
    if (!this.#hasWork()) return
    this.#running = this.#deliver().finally(() => this.#idle())
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.kick()
  }

  /** Resolves when no batch is under way; none begins after. */
  async stop(): Promise<void> {
    this.#stopping = true
    // What waits (for its start, or after a rejected batch) need not wait on; a batch under way is left to end.
    if (!this.#handling) this.abort()
    await this.#running
  }

  /** The partition is lost, or the bound is over. */
  abort(): void {
    this.#stopping = true
    this.#aborter.abort(new DOMException(`no longer the owner of ${this.place.topic}/${this.place.partition}`, 'AbortError'))
  }

  fill(records: readonly StoredRecord[], generation: number, resumeAt: bigint): void {
    if (generation !== this.#generation) return
    this.#fetching = false
    const last = records.at(-1)
    this.#buffer.push(...records)
    this.#head = last ? last.offset + 1n : resumeAt > this.#head ? resumeAt : this.#head
    this.kick()
  }

  /** How much is buffered: for a source that pushes. */
  get buffered(): number {
    return this.#buffer.length
  }

  /** The source lost its place (a rebalance): it is asked again for what comes after the buffer. */
  refetch(): void {
    if (!this.#started || this.#stopping) return
    this.#fetching = true
    this.source.fetch(this.#head, this.options.maxBatch, ++this.#generation)
  }

  /** The fetch failed: another after a pause. */
  fetchFailed(generation: number): void {
    if (generation !== this.#generation) return
    this.clock
      .sleep(backoff_ms(1, this.random, 500), this.#aborter.signal)
      .then(() => {
        if (generation === this.#generation) this.#fetching = false
        this.kick()
      })
      .catch(() => undefined)
  }

  #handling = false

  #idle(): void {
    this.#running = undefined
    this.kick()
  }

  #hasWork(): boolean {
    if (this.#buffer.length > 0) return true
    if (this.#fetching) return false
    if (this.source.ready(this.#head, 1).length > 0) return true
    this.#fetchMore()
    return false
  }

  #fetchMore(): void {
    if (this.#fetching || this.#buffer.length > 0 || this.#stopping || !this.source.more(this.#head)) return
    this.#fetching = true
    this.source.fetch(this.#head, this.options.maxBatch, this.#generation)
  }

  /** In the same turn as `#hasWork` said that there is some. */
  #take(): readonly StoredRecord[] {
    if (this.#buffer.length > 0) return this.#buffer.splice(0, this.options.maxBatch)
    const records = this.source.ready(this.#head, this.options.maxBatch)
    const last = records.at(-1)
    if (last) this.#head = last.offset + 1n
    return records
  }

  async #begin(): Promise<void> {
    for (let attempt = 1; !this.#stopping; attempt++) {
      try {
        this.#head = await this.options.startOffset(this.place)
        this.#buffer = []
        this.#fetching = false
        this.#generation++
        this.#started = true
        return
      } catch {
        await this.#pause(attempt)
      }
    }
  }

  async #deliver(): Promise<void> {
    let failures = 0
    while (!this.#stopping && !this.#paused) {
      if (!this.#hasWork()) return
      const ready = this.options.ready?.(this.place, this.#aborter.signal)
      if (ready) {
        await ready
        continue
      }
      const records = this.#take()
      if (this.source.ready(this.#head, 1).length === 0) this.#fetchMore()
      this.#handling = true
      try {
        await this.options.onBatch(this.place, records, this.#aborter.signal)
        failures = 0
      } catch {
        this.#handling = false
        failures++
        await this.#pause(failures)
        await this.#begin()
      } finally {
        this.#handling = false
      }
    }
  }

  async #pause(attempt: number): Promise<void> {
    await this.clock.sleep(backoff_ms(attempt, this.random, 50, 5_000), this.#aborter.signal).catch(() => undefined)
  }
}
