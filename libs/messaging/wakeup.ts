import type { Clock } from '#kernel'

/** A doorbell that remembers: a ring between looking and waiting is not lost. */
export class Wakeup {
  #rings = 0
  #waiting = new Set<() => void>()

  ring(): void {
    this.#rings++
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  /** What to give to `wait`, taken before looking whether there is work. */
  since(): number {
    return this.#rings
  }

  /** Resolves at the next ring after `since`, after `delay_ms`, or when the signal aborts; never rejects. */
  async wait(clock: Clock, delay_ms: number, signal: AbortSignal, since: number): Promise<void> {
    if (this.#rings !== since || signal.aborted) return
    const timer = new AbortController()
    await new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        this.#waiting.delete(done)
        timer.abort()
        resolve()
      }
      this.#waiting.add(done)
      signal.addEventListener('abort', done)
      clock.sleep(delay_ms, timer.signal).then(done, () => undefined)
    })
  }
}
