import type { Clock } from '#kernel'

/** Ends what takes longer than `limit_ms`. Who began first is late first, so one sleep serves all, and what ends in time costs no timer. */
export class TimeLimit {
  /** In the order of their beginning. */
  readonly #running = new Set<{ readonly until: number; late(): void }>()
  #watching = false
  #nobody = new AbortController()

  constructor(
    private readonly clock: Clock,
    private readonly limit_ms: number,
  ) {}

  /** Calls `late` when the time is over, unless what is returned was called before. */
  begin(late: () => void): () => void {
    const run = { until: this.clock.now() + this.limit_ms, late }
    this.#running.add(run)
    if (!this.#watching) void this.#watch()
    return () => {
      this.#running.delete(run)
      if (this.#running.size === 0) this.#nobody.abort(new Error('nobody is left'))
    }
  }

  async #watch(): Promise<void> {
    this.#watching = true
    for (let [first] = this.#running; first; [first] = this.#running) {
      const left_ms = first.until - this.clock.now()
      if (left_ms > 0) {
        this.#nobody = new AbortController()
        await this.clock.sleep(left_ms, this.#nobody.signal).catch(() => undefined)
      } else {
        this.#running.delete(first)
        first.late()
      }
    }
    this.#watching = false
  }
}
