import type { Clock } from '#kernel'
import { LRUCache } from 'lru-cache'

export interface Rate {
  /** What comes back each second. */
  readonly perSecond: number
  /** What may be taken at once. */
  readonly burst: number
}

export interface Taken {
  readonly allowed: boolean
  /** Whole tokens that are left. */
  readonly remaining: number
  /** Whole seconds until one can be taken: 0 when one can. */
  readonly retryAfter_s: number
}

/** Token buckets by key. */
export interface RateLimiter {
  take(key: string): Promise<Taken>
  close(): Promise<void>
}

/** Callers remembered. One that is forgotten begins with a full bucket, so this only matters to more callers at once than that. */
const MAX_BUCKETS = 100_000

/** Per process. */
export const memoryRateLimiter = ({ perSecond, burst }: Rate, clock: Clock): RateLimiter => {
  const buckets = new LRUCache<string, { tokens: number; at: number }>({ max: MAX_BUCKETS })
  return {
    async take(key) {
      const now = clock.now()
      const bucket = buckets.get(key) ?? { tokens: burst, at: now }
      // A clock that steps back must not take tokens away.
      bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1_000)
      bucket.at = now
      const allowed = bucket.tokens >= 1
      if (allowed) bucket.tokens -= 1
      buckets.set(key, bucket)
      return taken(allowed, bucket.tokens, perSecond)
    },
    async close() {},
  }
}

export const taken = (allowed: boolean, tokens: number, perSecond: number): Taken => ({
  allowed,
  remaining: Math.floor(tokens),
  retryAfter_s: allowed ? 0 : Math.max(1, Math.ceil((1 - tokens) / perSecond)),
})
