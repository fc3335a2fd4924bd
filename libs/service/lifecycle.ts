import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'

/** Something that works beside the requests: a relay, a timer. */
export interface Worker {
  start(): Promise<void> | void
  stop(): Promise<void>
}

/**
 * Workers start with the app. When it closes they stop after its server and its consumers, the last one first, and then the connections
 * that they stood on are given back: what was under way still finds them.
 */
@Injectable()
export class Lifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #workers: Worker[] = []
  readonly #closers: (() => Promise<unknown>)[] = []

  works(...workers: readonly Worker[]): void {
    this.#workers.push(...workers)
  }

  closes(...closers: readonly (() => Promise<unknown>)[]): void {
    this.#closers.push(...closers)
  }

  async onApplicationBootstrap(): Promise<void> {
    for (const worker of this.#workers) await worker.start()
  }

  /** Each step is taken, also when one before it fails; the first failure is then thrown. */
  async onApplicationShutdown(): Promise<void> {
    const failures: unknown[] = []
    const steps = [...this.#workers.toReversed().map((worker) => () => worker.stop()), ...this.#closers.toReversed()]
    for (const step of steps) await step().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }
}
