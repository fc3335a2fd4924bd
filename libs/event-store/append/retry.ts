import type { Clock, Random } from '#kernel'
import { classifyFailure } from '#postgres'
import { StoreUnavailable } from '../store.js'

const FIRST_PAUSE_MS = 10
const MOST_PAUSE_MS = 400

export interface RetryPorts {
  readonly clock: Clock
  readonly random: Random
  /** How long to go on trying, in all. */
  readonly retryFor_ms: number
}

/**
 * Does `work` again while it fails for a passing reason, with growing pauses and jitter, for a bounded time; then `StoreUnavailable`.
 * What failed may have taken effect (its answer was lost): only work that recognises itself when repeated may be given.
 */
export const retrying = async <T>(ports: RetryPorts, work: (attempt: number) => Promise<T>): Promise<T> => {
  const until = ports.clock.now() + ports.retryFor_ms
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (error instanceof StoreUnavailable || classifyFailure(error) === 'bug') throw error
      const pause_ms = Math.min(FIRST_PAUSE_MS * 2 ** attempt, MOST_PAUSE_MS) * (0.5 + ports.random.next())
      if (ports.clock.now() + pause_ms > until) throw new StoreUnavailable('the event store cannot be reached', { cause: error })
      await ports.clock.sleep(pause_ms)
    }
  }
}
