import { VisibilityProbed } from '#contracts'
import type { Commands } from '#event-store'
import type { Clock, Ids } from '#kernel'
import type { Worker } from '#service'

const EVERY_MS = 15_000

export interface VisibilityProbeOptions {
  readonly store: Pick<Commands, 'execute'>
  readonly clock: Clock
  readonly ids: Ids
  onError(error: unknown, during: string): void
}

/**
 * Sends, every 15 s, a message in which nothing happened on the way that orders take: committed as a command, relayed, read by order-query,
 * which tells how long it took. So it is known also when nobody orders. It leaves no event and no row.
 */
export class VisibilityProbe implements Worker {
  readonly #end = new AbortController()
  #loop: Promise<void> | undefined

  constructor(private readonly options: VisibilityProbeOptions) {}

  start(): void {
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#end.abort(new Error('stopped'))
    await this.#loop
  }

  async send(): Promise<void> {
    const { store, clock, ids } = this.options
    const id = ids.next()
    const context = { correlationId: id, causationId: id }
    const probe = VisibilityProbed.message('probe', { at: new Date(clock.now()).toISOString() }, context)
    await store.execute({
      id,
      fingerprint: VisibilityProbed.type,
      streams: [],
      metadata: { ...context, actor: 'app:order-command' },
      unkept: true,
      decide: () => ({ appends: [], messages: [probe], answer: '' }),
    })
  }

  async #run(): Promise<void> {
    const { clock, onError } = this.options
    const { signal } = this.#end
    for (;;) {
      await clock.sleep(EVERY_MS, signal).catch(() => undefined)
      if (signal.aborted) return
      await this.send().catch((error: unknown) => onError(error, 'visibility probe'))
    }
  }
}
