import type { Command, Commands } from '#event-store'
import { alert } from '#fraud'
import { isRefusal, type Clock, type Transactions } from '#kernel'
import type { AlertStore } from './alert-store.js'
import { alertStream } from './alert-stream.js'

const AT_ONCE = 100
const POLL_MS = 500
const AFTER_FAILURE_MS = 5_000

export const TIMED_OUT_BY = 'app:fraud'

export interface AlertTimeoutsPorts {
  readonly alerts: AlertStore
  readonly commands: Pick<Commands, 'executeAll'>
  readonly transactions: Transactions
  readonly clock: Clock
  readonly onError?: (error: unknown) => void
}

/** Declines what no person decided in time. The timers are the alerts' rows; any number of these may run. */
export class AlertTimeouts {
  readonly #stop = new AbortController()
  #loop: Promise<void> | undefined

  constructor(private readonly ports: AlertTimeoutsPorts) {}

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  /** Declines what is due now, at most 100. Answers how many were due. */
  async turn(): Promise<number> {
    const { alerts, commands, transactions, clock } = this.ports
    const now = clock.now()
    const due = await alerts.due(now, AT_ONCE)
    if (due.length > 0)
      await transactions.run((tx) =>
        commands.executeAll(
          due.map((alertId) => decline(alertId, now)),
          tx,
        ),
      )
    return due.length
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
      if (pause_ms > 0) await this.ports.clock.sleep(pause_ms, signal).catch(() => undefined)
    }
  }
}

/** Whoever decides first has decided: a person's decision that came in between makes this one a refusal, which nobody waits for. */
const decline = (alertId: string, now: number): Command => {
  const id = `${alertId}#timeout`
  const stream = alertStream(alertId)
  return {
    id,
    fingerprint: id,
    streams: [stream],
    metadata: { correlationId: alertId, causationId: id, actor: TIMED_OUT_BY, reason: 'undecided in time' },
    decide(states) {
      const events = alert.decide(
        { type: 'DecideAlert', decision: 'decline', by: TIMED_OUT_BY, note: 'undecided in time', at: new Date(now).toISOString() },
        states.of(stream).state,
      )
      return isRefusal(events) ? { appends: [], answer: events.slug } : { appends: [{ stream, events }], answer: 'declined' }
    },
  }
}
