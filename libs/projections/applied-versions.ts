import type { Clock } from '#kernel'
import { isNewer, type AppliedVersion, type RowStore } from './rows.js'

/** What a consistency token holds. */
export interface Awaited {
  readonly incarnation: string
  readonly streams: Readonly<Record<string, number>>
}

export interface AppliedVersionsOptions {
  readonly rows: Pick<RowStore, 'applied' | 'onApplied'>
  readonly clock: Clock
  /** The kinds of stream that this app projects (`order`, `product`); of others it knows nothing and does not wait. */
  readonly categories: readonly string[]
  /** How often to look for what another replica applied. */
  readonly poll_ms?: number
  /** More reads than this do not wait at all. */
  readonly mostWaiting?: number
  /** Nor do more of one caller's, so that nobody takes all places with tokens that never come true: nothing proves that a token was given. */
  readonly mostWaitingOfOne?: number
}

/** How long a read waits at most for what its consistency token names. */
export const LONGEST_WAIT_ms = 2_000

/** Read your writes: waits until the read model has applied what a consistency token names. */
export class AppliedVersions {
  readonly #options: Required<AppliedVersionsOptions>
  #rings = 0
  readonly #paused = new Set<() => void>()
  #waiting = 0
  readonly #waitingOf = new Map<string, number>()
  #lastRead: Promise<unknown> = Promise.resolve()
  #nextRead: { readonly streams: Set<string>; readonly versions: Promise<ReadonlyMap<string, AppliedVersion>> } | undefined

  constructor(options: AppliedVersionsOptions) {
    this.#options = { poll_ms: 100, mostWaiting: 1_000, mostWaitingOfOne: 50, ...options }
    options.rows.onApplied(() => {
      this.#rings++
      for (const wake of this.#paused) wake()
    })
  }

  /**
   * True as soon as every stream is at its version or past it. False when that has not come within `within_ms`, or too many wait already, the
   * caller's or all; and at once where the store was restored since: what it forgot then, the read model has forgotten too, and whether that
   * is what the token names nobody knows. Rejects when the database does.
   */
  async waitFor(token: Awaited, caller: string, within_ms: number = LONGEST_WAIT_ms): Promise<boolean> {
    const { categories, clock, mostWaiting, mostWaitingOfOne } = this.#options
    const streams = Object.entries(token.streams).filter(([stream]) => categories.some((category) => isOf(stream, category)))
    if (streams.length === 0) return true
    const waitingOfCaller = this.#waitingOf.get(caller) ?? 0
    if (this.#waiting >= mostWaiting || waitingOfCaller >= mostWaitingOfOne) return false
    const needed = new Map(streams.map(([stream, version]) => [stream, { incarnation: token.incarnation, version: BigInt(version) }]))
    const over = new AbortController()
    const late = clock.sleep(Math.min(within_ms, LONGEST_WAIT_ms), over.signal).then(() => false)
    late.catch(() => undefined)
    this.#count(caller, 1)
    try {
      return await Promise.race([this.#untilApplied(needed, over.signal), late])
    } finally {
      this.#count(caller, -1)
      over.abort(new Error('the wait is over'))
    }
  }

  #count(caller: string, by: 1 | -1): void {
    this.#waiting += by
    const waiting = (this.#waitingOf.get(caller) ?? 0) + by
    if (waiting === 0) this.#waitingOf.delete(caller)
    else this.#waitingOf.set(caller, waiting)
  }

  async #untilApplied(needed: ReadonlyMap<string, AppliedVersion>, over: AbortSignal): Promise<boolean> {
    while (!over.aborted) {
      const rings = this.#rings
      const applied = await this.#read(needed.keys())
      const found = [...needed].map(([stream, version]) => reach(version, applied.get(stream)))
      if (found.includes('never')) return false
      if (found.every((each) => each === 'reached')) return true
      // What was applied during the read may not be in it.
      if (rings === this.#rings) await this.#untilRung(over)
    }
    return false
  }

  #untilRung(over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (over.aborted) return resolve()
      const poll = new AbortController()
      const wake = () => {
        this.#paused.delete(wake)
        over.removeEventListener('abort', wake)
        poll.abort(new Error('woken'))
        resolve()
      }
      this.#paused.add(wake)
      over.addEventListener('abort', wake)
      void this.#options.clock.sleep(this.#options.poll_ms, poll.signal).then(wake, wake)
    })
  }

  /** One query at a time for everybody: who asks while it runs shares the next one. */
  #read(streams: Iterable<string>): Promise<ReadonlyMap<string, AppliedVersion>> {
    if (!this.#nextRead) {
      const asked = new Set<string>()
      const versions = this.#lastRead.then(() => {
        this.#nextRead = undefined
        return this.#options.rows.applied([...asked])
      })
      this.#lastRead = versions.catch(() => undefined)
      this.#nextRead = { streams: asked, versions }
    }
    for (const stream of streams) this.#nextRead.streams.add(stream)
    return this.#nextRead.versions
  }
}

const isOf = (stream: string, category: string): boolean => stream.startsWith(`${category}-`)

const reach = (needed: AppliedVersion, applied: AppliedVersion | undefined): 'reached' | 'not yet' | 'never' => {
  if (applied === undefined || isNewer(needed, applied)) return 'not yet'
  return applied.incarnation === needed.incarnation ? 'reached' : 'never'
}
