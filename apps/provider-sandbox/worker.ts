import type { Clock } from '#kernel'
import type { Books } from './books.js'
import type { Webhooks } from './webhooks.js'

const POLL_MS = 200
const AFTER_FAILURE_MS = 2_000
const SETTLED_AT_ONCE = 100

/** One loop that pays what is due and delivers webhooks. Everything it does is in rows: killed at any moment, the next one goes on. */
export class SandboxWorker {
  readonly #stop = new AbortController()
  #loop: Promise<void> | undefined

  constructor(
    private readonly books: Books,
    private readonly webhooks: Webhooks,
    private readonly clock: Clock,
  ) {}

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Resolves when the turn under way is over; that takes at most as long as one webhook may. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  /** One turn. Answers whether there may be more to do at once. */
  async turn(): Promise<boolean> {
    const settled = await this.books.settleDue(SETTLED_AT_ONCE)
    const tried = await this.webhooks.deliverDue()
    return settled + tried > 0
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      // The database may be away for a while; the rows wait.
      const pause_ms = await this.turn().then(
        (more) => (more ? 0 : POLL_MS),
        () => AFTER_FAILURE_MS,
      )
      if (pause_ms > 0) await this.clock.sleep(pause_ms, signal).catch(() => undefined)
    }
  }
}
