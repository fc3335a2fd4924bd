import type { Clock } from '#kernel'

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly threshold: number
  /** How long it stays open before one call may try. */
  readonly rest_ms: number
}

/**
 * Spares a provider that is down: after failures in a row nothing is sent for a while, then one call at a time until one succeeds
 * (Nygard, "Release It!"). A call that is not sent is no failure and has no effect.
 */
export class CircuitBreaker {
  #failures = 0
  #openUntil = 0
  #trying = false

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly options: BreakerOptions = { threshold: 20, rest_ms: 2_000 },
  ) {}

  get state(): BreakerState {
    if (this.#failures < this.options.threshold) return 'closed'
    return this.clock.now() < this.#openUntil ? 'open' : 'half-open'
  }

  /** Whether a call may go out now; each one that does must be followed by `succeeded` or `failed`. */
  admit(): boolean {
    const { state } = this
    if (state === 'closed') return true
    if (state === 'open' || this.#trying) return false
    this.#trying = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    this.#trying = false
  }

  failed(): void {
    this.#failures++
    this.#trying = false
    this.#openUntil = this.clock.now() + this.options.rest_ms
  }
}
