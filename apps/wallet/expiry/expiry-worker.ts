import { isRefusal, type Clock, type Random } from '#kernel'
import type { Commands } from '#event-store'
import { hasHoldEnded, isHoldOpen } from '#wallet'
import type { Rules } from '../rules.js'
import { walletRef } from '../streams.js'
import type { HoldExpiries, HoldExpiry } from './hold-expiries.js'

/** How many timers are worked off in one turn: they share one commit. */
const BATCH = 100
const PAUSE_MOST_MS = 30_000
/** Longer than a command may be under way: a timer is written before its hold, and may come due before the hold is there. */
const HOLD_MAY_COME_MS = 60_000

/** The hold is not due by the clock of the decision, or may still be on its way: nothing is kept, and the timer stays. */
class NotYet extends Error {}

export interface ExpiryWorkerOptions {
  readonly expiries: HoldExpiries
  readonly commands: Commands
  readonly rules: Rules
  readonly clock: Clock
  readonly random: Random
  readonly poll_ms: number
  onError?(error: unknown): void
}

/**
 * Releases holds whose time has come. Timers are rows, so it goes on after a restart where another stopped; two workers at once give the
 * same command under the same id, and it takes effect once.
 */
export class ExpiryWorker {
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(private readonly options: ExpiryWorkerOptions) {}

  start(): void {
    this.#running ??= this.#run()
  }

  /** Waits for the turn under way. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the worker stops'))
    await this.#running
  }

  /**
   * One turn: answers how many timers it worked off. A timer is removed only after its command is durable. One that fails is told and left for
   * the next turn; throws when all of them failed.
   */
  async turn(): Promise<number> {
    const { expiries, clock } = this.options
    const due = await expiries.due(clock.now(), BATCH)
    const results = await Promise.allSettled(due.map((expiry) => this.#expire(expiry)))
    await expiries.remove(due.filter((_, index) => results[index]?.status === 'fulfilled'))
    const failures = results.flatMap((result) =>
      result.status === 'rejected' && !(result.reason instanceof NotYet) ? [result.reason as unknown] : [],
    )
    if (failures.length > 0 && failures.length === due.length) throw failures[0]
    for (const failure of failures) this.options.onError?.(failure)
    return results.filter(({ status }) => status === 'fulfilled').length
  }

  async #expire({ walletId, holdId, expiresAt_ms }: HoldExpiry): Promise<void> {
    const { commands, rules, clock } = this.options
    const wallet = walletRef(walletId)
    const id = `expire-hold:${walletId}:${holdId}`
    await commands.execute({
      id,
      fingerprint: holdId,
      streams: [wallet],
      metadata: { correlationId: holdId, causationId: id, actor: 'app:wallet', reason: 'the hold expired' },
      decide: (states) => {
        const at_ms = clock.now()
        const { state } = states.of(wallet)
        const decided = rules.wallet.decide({ type: 'expire', at_ms, holdId }, state)
        const settled = isRefusal(decided) || decided.length > 0
        if (!settled && (isHoldOpen(state, holdId) || (!hasHoldEnded(state, holdId) && at_ms < expiresAt_ms + HOLD_MAY_COME_MS)))
          throw new NotYet()
        return { appends: isRefusal(decided) ? [] : [{ stream: wallet, events: decided }], answer: '' }
      },
    })
  }

  async #run(): Promise<void> {
    const { clock, random, poll_ms, onError } = this.options
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      let more = false
      try {
        more = (await this.turn()) === BATCH
        failures = 0
      } catch (error) {
        failures = Math.min(failures + 1, 10)
        onError?.(error)
      }
      if (more) continue
      const pause_ms = Math.min(poll_ms * 2 ** failures, Math.max(PAUSE_MOST_MS, poll_ms))
      await clock.sleep(failures === 0 ? pause_ms : pause_ms * (0.5 + random.next() / 2), signal).catch(() => undefined)
    }
  }
}
