import type { Clock, Ids, Random, Transaction, Transactions } from '../ports.js'

export { eventually } from './eventually.js'

/** A clock that stands until it is moved. Sleepers wake, in order of their time, as it passes them. */
export class FakeClock implements Clock {
  #sleepers: { at: number; wake: () => void }[] = []

  constructor(private time_ms: number = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.time_ms
  }

  sleep(delay_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const sleeper = { at: this.time_ms + delay_ms, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        reject(signal.reason as Error)
      })
    })
  }

  advance(by_ms: number): void {
    const until = this.time_ms + by_ms
    for (;;) {
      const next = this.#sleepers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#sleepers = this.#sleepers.filter((other) => other !== next)
      this.time_ms = Math.max(this.time_ms, next.at)
      next.wake()
    }
    this.time_ms = until
  }

  /** When the next sleeper is due, or undefined when none sleeps. */
  nextWake(): number | undefined {
    return this.#sleepers.reduce<number | undefined>((least, { at }) => (least === undefined || at < least ? at : least), undefined)
  }
}

/** A clock that runs `times` as fast as the given one: for what waits long, where only the order of things is looked at. */
export const hastened = (clock: Clock, times: number): Clock => {
  const began_ms = clock.now()
  return {
    now: () => began_ms + (clock.now() - began_ms) * times,
    sleep: (delay_ms, signal) => clock.sleep(delay_ms / times, signal),
  }
}

/** mulberry32: small, seeded, good enough to choose test paths. Not for secrets. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0
      let t = state
      t = Math.imul(t ^ (t >>> 15), t | 1)
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296
    },
  }
}

/** Ids that count up, shaped as UUIDs: `00000000-0000-7000-8000-000000000001`. */
export const countingIds = (): Ids => {
  let count = 0
  return { next: () => `00000000-0000-7000-8000-${(++count).toString(16).padStart(12, '0')}` }
}

/** A transaction of the in-memory stores: what they write takes effect, together, at commit. */
export interface MemoryTransaction extends Transaction {
  readonly kind: 'memory'
  /** Done at commit, in order. What a store needs to read back before that, it keeps per transaction itself. */
  onCommit(write: () => void): void
  /** Done when the transaction is rolled back: for what a store holds meanwhile, such as a lock. */
  onRollback?(undo: () => void): void
}

export const asMemory = (tx: Transaction): MemoryTransaction => {
  if (tx.kind !== 'memory') throw new TypeError(`an in-memory store was given a ${tx.kind} transaction`)
  return tx as MemoryTransaction
}

/** One in-memory database: transactions run one after another, and one that rejects leaves nothing behind. */
export const memoryTransactions = (): Transactions => {
  let last: Promise<unknown> = Promise.resolve()
  const once = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const writes: (() => void)[] = []
    const undos: (() => void)[] = []
    const tx: MemoryTransaction = {
      kind: 'memory',
      onCommit: (write) => void writes.push(write),
      onRollback: (undo) => void undos.push(undo),
    }
    try {
      const result = await work(tx)
      for (const write of writes) write()
      return result
    } catch (error) {
      for (const undo of undos) undo()
      throw error
    }
  }
  return {
    run: (work) => {
      const mine = last.then(() => once(work))
      last = mine.catch(() => undefined)
      return mine
    },
  }
}
