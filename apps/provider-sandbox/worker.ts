import type { Clock } from '#kernel'
import type { Books } from './books.js'
import type { Webhooks } from './webhooks.js'

const POLL_MS = 200
const AFTER_FAILURE_MS = 2_000
const SETTLED_AT_ONCE = 100

/**
 * Two loops: one pays what is due, the other delivers webhooks, so that a merchant who does not answer delays no payment. Everything they do
 * is in rows: killed at any moment, the next ones go on.
 */
export class SandboxWorker {
  readonly #stop = new AbortController()
  #loops: Promise<unknown> | undefined

  constructor(
    private readonly books: Books,
    private readonly webhooks: Webhooks,
    private readonly clock: Clock,
  ) {}

  start(): void {
    this.#loops ??= Promise.all([
      this.#repeat(() => this.books.settleDue(SETTLED_AT_ONCE)),
      this.#repeat(() => this.webhooks.deliverDue(this.#stop.signal)),
    ])
  }

  /** Cuts short what waits for a merchant, and resolves when all is written down. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loops
  }

  async #repeat(turn: () => Promise<number>): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      // The database may be away for a while; the rows wait.
      const pause_ms = await turn().then(
        (done) => (done > 0 ? 0 : POLL_MS),
        () => AFTER_FAILURE_MS,
      )
      if (pause_ms > 0) await this.clock.sleep(pause_ms, signal).catch(() => undefined)
    }
  }
}
