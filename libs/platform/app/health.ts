import { systemClock, type Clock } from '#kernel'
import type { Metrics } from '../observability/metrics.js'

/** Rejects, or answers false, when the dependency cannot be used. The signal is aborted when its time is over. */
export type ReadinessCheck = (signal: AbortSignal) => Promise<unknown>

export interface Health {
  readonly status: 'ok' | 'unavailable'
  readonly checks: Readonly<Record<string, 'ok' | 'failing' | 'timed-out'>>
}

/** What a check is needed for: to answer requests, or only for what happens beside them, which waits and goes on later. */
export type NeededFor = 'requests' | 'messages'

/** What must work for this app to do all that it does. Inject it and register checks; names are shown to anyone. */
export class Readiness {
  readonly #checks = new Map<string, { check: ReadinessCheck; timeout_ms: number; neededFor: () => NeededFor }>()

  constructor(private readonly clock: Clock = systemClock) {}

  register(
    name: string,
    check: ReadinessCheck,
    { timeout_ms = 1_000, neededFor = () => 'requests' }: { readonly timeout_ms?: number; neededFor?(): NeededFor } = {},
  ): void {
    this.#checks.set(name, { check, timeout_ms, neededFor })
  }

  /** All at once, each within its own time; of one need alone where it is named. */
  async look(of?: NeededFor): Promise<Health> {
    const asked = [...this.#checks].filter(([, { neededFor }]) => of === undefined || of === neededFor())
    const entries = await Promise.all(
      asked.map(async ([name, { check, timeout_ms }]) => [name, await this.#one(check, timeout_ms)] as const),
    )
    return { status: entries.every(([, result]) => result === 'ok') ? 'ok' : 'unavailable', checks: Object.fromEntries(entries) }
  }

  async #one(check: ReadinessCheck, timeout_ms: number): Promise<'ok' | 'failing' | 'timed-out'> {
    const over = new AbortController()
    const done = new AbortController()
    const late = this.clock.sleep(timeout_ms, done.signal).then(
      () => 'timed-out' as const,
      () => 'timed-out' as const,
    )
    const result = Promise.resolve()
      .then(() => check(over.signal))
      .then(
        (answer) => (answer === false ? ('failing' as const) : ('ok' as const)),
        () => 'failing' as const,
      )
    const first = await Promise.race([result, late])
    done.abort()
    over.abort()
    return first
  }
}

/** As metrics, looked at when they are scraped. */
export const showHealth = (metrics: Metrics, readiness: Readiness): void => {
  metrics.gauge('health_check', 'What must work for all that this app does: 1 where it does.', ['check'], async (gauge) => {
    const { checks } = await readiness.look()
    gauge.reset()
    for (const [check, result] of Object.entries(checks)) gauge.set({ check }, result === 'ok' ? 1 : 0)
  })
}
