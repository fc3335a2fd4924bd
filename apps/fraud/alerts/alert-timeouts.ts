import type { Command, Commands } from '#event-store'
import { alert } from '#fraud'
import { isRefusal, type Clock, type Random, type Transactions } from '#kernel'
import { isTransient } from '#messaging'
import type { AlertStore } from './alert-store.js'
import { alertStream } from './alert-stream.js'

const AT_ONCE = 100
const POLL_MS = 500
const AFTER_FAILURE_MS = 5_000
/** Alerts that cannot be ended are left alone for so long: doubled each time, up to the second. */
const POSTPONED_MS = 5_000
const POSTPONED_MOST_MS = 10 * 60_000
/** So many are remembered at most; the first of more are tried again sooner. */
const MOST_POSTPONED = 1_000

export const TIMED_OUT_BY = 'app:fraud'

export interface AlertTimeoutsPorts {
  readonly alerts: AlertStore
  readonly commands: Pick<Commands, 'executeAll'>
  readonly transactions: Transactions
  readonly clock: Clock
  readonly random: Random
  readonly onError?: (error: unknown) => void
}

/** Declines what no person decided in time, and lets samples lapse. The timers are the alerts' rows; any number of these may run. */
export class AlertTimeouts {
  readonly #stop = new AbortController()
  #loop: Promise<void> | undefined
  /** Those whose end failed: one of them must not hold up the others. */
  readonly #postponed = new Map<string, { readonly until: number; readonly failures: number }>()

  constructor(private readonly ports: AlertTimeoutsPorts) {}

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  /** Ends what is due now, at most 100. Answers how many were due. Rejects when the store is what fails. */
  async turn(): Promise<number> {
    const now = this.ports.clock.now()
    const except = [...this.#postponed].flatMap(([alertId, { until }]) => (until > now ? [alertId] : []))
    const due = await this.ports.alerts.due(now, AT_ONCE, except)
    if (due.length > 0) await this.#expire(due, now)
    return due.length
  }

  async #expire(alertIds: readonly string[], now: number): Promise<void> {
    const { commands, transactions, onError } = this.ports
    const [only, ...others] = alertIds
    if (only === undefined) return
    try {
      await transactions.run((tx) =>
        commands.executeAll(
          alertIds.map((alertId) => expire(alertId, now)),
          tx,
        ),
      )
      for (const alertId of alertIds) this.#postponed.delete(alertId)
    } catch (error) {
      if (isTransient(error)) throw error
      if (others.length > 0) {
        for (const alertId of alertIds) await this.#expire([alertId], now)
        return
      }
      onError?.(error)
      this.#postpone(only, now)
    }
  }

  #postpone(alertId: string, now: number): void {
    const failures = (this.#postponed.get(alertId)?.failures ?? 0) + 1
    this.#postponed.delete(alertId)
    const [first] = this.#postponed.keys()
    if (first !== undefined && this.#postponed.size >= MOST_POSTPONED) this.#postponed.delete(first)
    const pause_ms = Math.min(POSTPONED_MS * 2 ** (failures - 1), POSTPONED_MOST_MS)
    this.#postponed.set(alertId, { until: now + this.#spread(pause_ms), failures })
  }

  /** Three quarters to five quarters of it, so that several of these do not come at once. */
  #spread(pause_ms: number): number {
    return pause_ms * (0.75 + this.ports.random.next() / 2)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const pause_ms = await this.turn().then(
        (count) => (count === AT_ONCE ? 0 : POLL_MS),
        (error: unknown) => {
          this.ports.onError?.(error)
          return AFTER_FAILURE_MS
        },
      )
      if (pause_ms > 0) await this.ports.clock.sleep(this.#spread(pause_ms), signal).catch(() => undefined)
    }
  }
}

/** Whoever decides first has decided: a person's decision that came in between makes this one a refusal, which nobody waits for. */
const expire = (alertId: string, now: number): Command => {
  const id = `${alertId}#timeout`
  const stream = alertStream(alertId)
  return {
    id,
    fingerprint: id,
    streams: [stream],
    metadata: { correlationId: alertId, causationId: id, actor: TIMED_OUT_BY, origin: 'timer', reason: 'undecided in time' },
    decide(states) {
      const events = alert.decide(
        { type: 'ExpireAlert', by: TIMED_OUT_BY, note: 'undecided in time', at: new Date(now).toISOString() },
        states.of(stream).state,
      )
      return isRefusal(events) ? { appends: [], answer: events.slug } : { appends: [{ stream, events }], answer: 'expired' }
    },
  }
}
