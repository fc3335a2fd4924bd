import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'

type Step = () => Promise<unknown>

/** Starts with the app, and stops after its server and consumers have closed, so that what was under way still finds its connections. */
@Injectable()
export class OrderCommandLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly starts: readonly Step[],
    private readonly stops: readonly Step[],
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const start of this.starts) await start()
  }

  /** Each step is taken, also when one before it fails; the first failure is then thrown. */
  async onApplicationShutdown(): Promise<void> {
    const failures: unknown[] = []
    for (const stop of this.stops) await stop().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }
}
