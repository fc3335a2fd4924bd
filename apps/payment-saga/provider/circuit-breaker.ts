import type { Clock } from '#kernel'

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** What is judged: calls that ended within it. Longer than a call may take, so that late failures are seen beside the others' successes. */
  readonly window_ms: number
  /** Calls within the window before it is judged at all. */
  readonly calls: number
  /** The share of them that must have failed, 0 to 1. */
  readonly share: number
  /** How long it stays open before one call may try. */
  readonly rest_ms: number
}

/** How an admitted call ended. */
export type CallEnd = 'succeeded' | 'failed'

/** The window moves on by a tenth of itself. */
const SLICES = 10

interface Slice {
  readonly number: number
  calls: number
  failures: number
}

/**
 * Spares a provider that is down: when most of the recent calls failed nothing is sent for a while, then one call at a time until one
 * succeeds (Nygard, "Release It!"). The share decides and not a row of failures, because a few customers whose payments get no answer must
 * not stop the others'. A call that is not sent is no failure and has no effect.
 */
export class CircuitBreaker {
  #slices: Slice[] = []
  #openUntil: number | undefined
  #trying = false

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly options: BreakerOptions = { window_ms: 10_000, calls: 50, share: 0.5, rest_ms: 2_000 },
  ) {}

  get state(): BreakerState {
    if (this.#openUntil === undefined) return 'closed'
    return this.clock.now() < this.#openUntil ? 'open' : 'half-open'
  }

  /** Undefined: nothing may be sent now. Else what the call's end must be told to, once. */
  admit(): ((end: CallEnd) => void) | undefined {
    const { state } = this
    if (state === 'closed') return (end) => this.#count(end)
    if (state === 'open' || this.#trying) return undefined
    this.#trying = true
    return (end) => this.#tried(end)
  }

  /** Of a call that was sent while it was closed. What ends after it opened changes nothing: the next try decides. */
  #count(end: CallEnd): void {
    if (this.#openUntil !== undefined) return
    const { window_ms, calls, share } = this.options
    const number = Math.floor((this.clock.now() * SLICES) / window_ms)
    this.#slices = this.#slices.filter((slice) => slice.number > number - SLICES)
    let slice = this.#slices.at(-1)
    if (slice?.number !== number) this.#slices.push((slice = { number, calls: 0, failures: 0 }))
    slice.calls++
    if (end === 'succeeded') return
    slice.failures++
    const sum = this.#slices.reduce((all, each) => ({ calls: all.calls + each.calls, failures: all.failures + each.failures }), NOTHING)
    if (sum.calls >= calls && sum.failures >= share * sum.calls) this.#open()
  }

  #tried(end: CallEnd): void {
    this.#trying = false
    if (end === 'succeeded') this.#openUntil = undefined
    else this.#open()
  }

  #open(): void {
    this.#slices = []
    this.#openUntil = this.clock.now() + this.options.rest_ms
  }
}

const NOTHING = { calls: 0, failures: 0 }
