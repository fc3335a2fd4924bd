import { isRefusal, type Clock, type Random } from '#kernel'
import type { Commands } from '#event-store'
import { isHoldOpen } from '#wallet'
import type { Rules } from '../rules.js'
import { walletRef } from '../streams.js'
import type { HoldExpiries, HoldExpiry } from './hold-expiries.js'

/** How many timers are worked off in one turn: they share one commit. */
const BATCH = 100
const PAUSE_MOST_MS = 30_000
/** A timer whose hold could not be released comes again after this, then after twice as long, up to the second. */
const BACKOFF = { first_ms: 5_000, most_ms: 600_000 }

/** There is nothing to release: the hold ended before its time. Thrown, so that the store keeps nothing of it. */
class NothingToRelease extends Error {}
/** The clock went back since the timer was claimed. The timer stays, and comes again. */
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
   * One turn: answers how many timers it took up. A timer is removed only after its command is durable. One that fails has been put off by
   * being claimed, so it is in nobody's way; the first failure of a turn is told. Throws where the timers themselves cannot be reached.
   */
  async turn(): Promise<number> {
    const { expiries, clock, random } = this.options
    const spread = 0.5 + random.next() / 2
    const due = await expiries.claim(clock.now(), BATCH, { ...BACKOFF, first_ms: Math.round(BACKOFF.first_ms * spread) })
    const results = await Promise.allSettled(due.map((expiry) => this.#expire(expiry)))
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    await expiries.remove(due.filter((_, index) => isOver(results[index])))
    const faults = failures.filter((failure) => !(failure instanceof NothingToRelease || failure instanceof NotYet))
    if (faults.length > 0) this.options.onError?.(new Error(`${faults.length} expired holds wait to be released`, { cause: faults[0] }))
    return due.length
  }

  async #expire({ walletId, holdId }: HoldExpiry): Promise<void> {
    const { commands, rules, clock } = this.options
    const wallet = walletRef(walletId)
    const id = `expire-hold:${walletId}:${holdId}`
    await commands.execute({
      id,
      fingerprint: holdId,
      streams: [wallet],
      metadata: { correlationId: holdId, causationId: id, actor: 'app:wallet', origin: 'timer', reason: 'the hold expired' },
      decide: (states) => {
        const { state } = states.of(wallet)
        if (!isHoldOpen(state, holdId)) throw new NothingToRelease()
        const events = rules.wallet.decide({ type: 'expire', at_ms: clock.now(), holdId }, state)
        if (isRefusal(events) || events.length === 0) throw new NotYet()
        return { appends: [{ stream: wallet, events }], answer: '' }
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

const isOver = (result: PromiseSettledResult<void> | undefined): boolean =>
  result?.status === 'fulfilled' || (result?.status === 'rejected' && result.reason instanceof NothingToRelease)
