/**
 * So many calls at once, and so many that wait for a place; more are turned away at once (Nygard, "Release It!"). A provider that is slow fills
 * its own, and whoever calls another one does not wait behind it.
 */
export class Bulkhead {
  #inside = 0
  readonly #waiting = new Set<() => void>()

  constructor(
    /** Calls at once. */
    readonly places: number,
    /** Callers that wait for a place. */
    readonly queue: number = Math.ceil(places / 4),
  ) {}

  get inside(): number {
    return this.#inside
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** A place, to be left by calling what it answers, once. Undefined: it is full, or the signal was aborted before one was free. */
  async enter(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined
    if (this.#inside < this.places) {
      this.#inside++
      return () => this.#leave()
    }
    if (this.#waiting.size >= this.queue) return undefined
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const go = () => resolve(true)
    const stop = () => {
      this.#waiting.delete(go)
      resolve(false)
    }
    this.#waiting.add(go)
    signal.addEventListener('abort', stop, { once: true })
    const entered = await promise
    signal.removeEventListener('abort', stop)
    return entered ? () => this.#leave() : undefined
  }

  /** The place goes to who has waited longest. */
  #leave(): void {
    const [next] = this.#waiting
    if (!next) {
      this.#inside--
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
