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
  /** More callers than this do not wait at all. */
  readonly mostWaiting?: number
}

/** How long a read waits at most for what its consistency token names. */
export const LONGEST_WAIT_ms = 2_000

/** Read your writes: waits until the read model has applied what a consistency token names. */
export class AppliedVersions {
  readonly #options: Required<AppliedVersionsOptions>
  #rings = 0
  readonly #paused = new Set<() => void>()
  #waiting = 0
  #lastRead: Promise<unknown> = Promise.resolve()
  #nextRead: { readonly streams: Set<string>; readonly versions: Promise<ReadonlyMap<string, AppliedVersion>> } | undefined

  constructor(options: AppliedVersionsOptions) {
    this.#options = { poll_ms: 100, mostWaiting: 1_000, ...options }
    options.rows.onApplied(() => {
      this.#rings++
      for (const wake of this.#paused) wake()
    })
  }

  /**
   * True as soon as every stream is at its version or past it, or belongs to a store that was restored since; false when that has not come
   * within `within_ms`, or too many wait already. Rejects when the database does.
   */
  async waitFor(token: Awaited, within_ms: number = LONGEST_WAIT_ms): Promise<boolean> {
    const { categories, clock, mostWaiting } = this.#options
    const streams = Object.entries(token.streams).filter(([stream]) => categories.some((category) => isOf(stream, category)))
    if (streams.length === 0) return true
    if (this.#waiting >= mostWaiting) return false
    const needed = new Map(streams.map(([stream, version]) => [stream, { incarnation: token.incarnation, version: BigInt(version) }]))
    const over = new AbortController()
    const late = clock.sleep(Math.min(within_ms, LONGEST_WAIT_ms), over.signal).then(() => false)
    late.catch(() => undefined)
    this.#waiting++
    try {
      return await Promise.race([this.#untilApplied(needed, over.signal), late])
    } finally {
      this.#waiting--
      over.abort(new Error('the wait is over'))
    }
  }

  async #untilApplied(needed: ReadonlyMap<string, AppliedVersion>, over: AbortSignal): Promise<boolean> {
    while (!over.aborted) {
      const rings = this.#rings
      const applied = await this.#read(needed.keys())
      if ([...needed].every(([stream, version]) => isReached(version, applied.get(stream)))) return true
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

const isReached = (needed: AppliedVersion, applied: AppliedVersion | undefined): boolean =>
  applied !== undefined && !isNewer(needed, applied)
