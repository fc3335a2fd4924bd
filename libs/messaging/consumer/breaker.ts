import type { Clock, Random } from '#kernel'
import { backoff_ms } from '../backoff.js'
import type { HeldBack } from '../log.js'
import { Wakeup } from '../wakeup.js'

export type ConsumptionState = 'closed' | HeldBack

/** How a batch ended; `unknown` says nothing of what the handler needs. */
export type BatchEnd = 'succeeded' | 'failed' | 'unknown'

/** Batches in a row, of any partitions, that a dependency failed before the topic is paused. */
const FAILURES = 5
/** The pause before a probe doubles from the first to the most: so long may it take to see that the dependency is back. */
const FIRST_PAUSE_MS = 200
const MOST_PAUSE_MS = 5_000

/**
 * Pauses the partitions of one topic in this process while what its handler needs is away (Nygard, "Release It!"). Then the batch of one
 * partition probes: when it succeeds all go on, when it fails the next pause is longer. It holds batches back and fails none.
 */
export class ConsumptionBreaker {
  readonly #wakeup = new Wakeup()
  #failures = 0
  #opened = 0
  #openUntil: number | undefined
  #probing = false

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly onChange: (state: ConsumptionState) => void,
  ) {}

  get state(): ConsumptionState {
    if (this.#openUntil === undefined) return 'closed'
    return this.#probing ? 'half-open' : 'open'
  }

  /** Whether nothing may begin now but a probe under way. */
  get holds(): boolean {
    return this.holds_ms > 0
  }

  /** For how long, as far as it is known: a probe may end any time. */
  get holds_ms(): number {
    if (this.#openUntil === undefined) return 0
    return this.#probing ? MOST_PAUSE_MS : Math.max(0, this.#openUntil - this.clock.now())
  }

  /** Resolves when it may be asked again, or the signal aborts; undefined: a batch may begin at once, in the same turn. */
  ready(signal: AbortSignal): Promise<void> | undefined {
    return this.holds ? this.#wait(signal) : undefined
  }

  /** A batch begins. Answers what its end must be told to, once. */
  begin(): (end: BatchEnd) => void {
    if (this.#openUntil === undefined) return (end) => this.#count(end)
    if (this.holds) return () => undefined
    this.#probing = true
    this.#changed()
    return (end) => this.#probed(end)
  }

  /** What began before it opened decides nothing after. */
  #count(end: BatchEnd): void {
    if (this.#openUntil !== undefined || end === 'unknown') return
    this.#failures = end === 'failed' ? this.#failures + 1 : 0
    if (this.#failures >= FAILURES) this.#open()
  }

  #probed(end: BatchEnd): void {
    this.#probing = false
    if (end === 'failed') return this.#open()
    if (end === 'succeeded') {
      this.#failures = this.#opened = 0
      this.#openUntil = undefined
    }
    this.#changed()
  }

  #open(): void {
    this.#openUntil = this.clock.now() + backoff_ms(++this.#opened, this.random, FIRST_PAUSE_MS, MOST_PAUSE_MS)
    this.#changed()
  }

  async #wait(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.holds) {
      await this.#wakeup.wait(this.clock, this.holds_ms, signal, this.#wakeup.since())
    }
  }

  #changed(): void {
    this.#wakeup.ring()
    this.onChange(this.state)
  }
}
