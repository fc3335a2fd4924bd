import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { systemClock } from '#kernel'
import { eventually } from '#kernel/testing'
import { Redis } from 'ioredis'
import { failWithout, skippedWithout } from '../../../test/support/kafka.mjs'
import { redisMissing, startRedis, type TestRedis } from '../../../test/support/redis.mjs'
import type { RateLimiter } from './rate-limiter.js'
import { redisRateLimiter } from './redis-rate-limiter.js'

const missing = redisMissing()

/** What counts to the token waits for Redis as long as a busy machine takes: who does not wait counts for himself. */
const PATIENT_MS = 30_000
/** So slow that nothing comes back while a test runs. */
const RATE = { perSecond: 0.001, burst: 50 }

const allowed = async (limiters: readonly RateLimiter[], key: string, times: number): Promise<number> => {
  const taken = await Promise.all(Array.from({ length: times }, (_, index) => limiters[index % limiters.length]!.take(key)))
  return taken.filter((each) => each.allowed).length
}

if (!skippedWithout({ describe, it }, 'the rate limiter on Redis', missing))
  describe('the rate limiter on Redis', () => {
    let redis: TestRedis
    let client: Redis
    const open: RateLimiter[] = []
    /** As many replicas, each connected: until then one counts for itself. */
    const replicas = async (count: number, prefix: string, rate = RATE, timeout_ms?: number): Promise<readonly RateLimiter[]> => {
      const limiters = Array.from({ length: count }, () => redisRateLimiter(redis.url, prefix, rate, systemClock, timeout_ms ?? PATIENT_MS))
      open.push(...limiters)
      for (const [index, limiter] of limiters.entries())
        await eventually('the window counts', () => counts(limiter, prefix, `probe-${index}`), 15_000)
      return limiters
    }
    const counts = async (limiter: RateLimiter, prefix: string, key: string): Promise<boolean> => {
      await limiter.take(key)
      return (await client.exists(`${prefix}:${key}`)) === 1
    }
    beforeAll(async () => {
      failWithout(missing)
      redis = await startRedis()
      client = new Redis(redis.url)
      client.on('error', () => undefined)
    })
    afterAll(async () => {
      await Promise.all(open.map((limiter) => limiter.close()))
      client?.disconnect()
      await redis?.stop()
    })

    it('gives two replicas one bucket, to the token', async () => {
      const limiters = await replicas(2, 'exact')
      expect(await allowed(limiters, 'c-1', 200)).toBe(RATE.burst)
      expect(await allowed(limiters, 'c-2', 49)).toBe(49)
      const [first, second] = limiters
      expect(await first!.take('c-2')).toEqual({ allowed: true, remaining: 0, retryAfter_s: 0 })
      expect(await second!.take('c-2')).toMatchObject({ allowed: false, remaining: 0 })
    })

    it('gives tokens back with time, and forgets a caller whose bucket is full again', async () => {
      const [limiter] = await replicas(1, 'refill', { perSecond: 0.5, burst: 2 })
      expect(await allowed([limiter!], 'c-1', 3)).toBe(2)
      // Whoever comes within the two seconds that a token takes.
      const refused = await limiter!.take('c-1')
      expect([refused.allowed, [1, 2].includes(refused.retryAfter_s)]).toEqual([false, true])
      await eventually('one is allowed', async () => (await limiter!.take('c-1')).allowed, 15_000)
      expect(await client.pttl('refill:c-1')).toBeGreaterThan(0)
      await eventually('the key is gone', async () => (await client.exists('refill:c-1')) === 0, 15_000)
    })

    it('counts for itself while Redis is away, and together again when it is back, with nothing lost in between', async () => {
      const limiters = await replicas(2, 'away')
      expect(await allowed(limiters, 'c-1', 200)).toBe(RATE.burst)
      await redis.stop()
      // A limit that fails open would allow all, one that fails closed none.
      expect(await allowed(limiters, 'c-1', 200)).toBe(2 * RATE.burst)
      redis = await startRedis({ port: redis.port })
      await eventually('Redis answers', async () => (await client.ping().catch(() => '')) === 'PONG', 15_000)
      // A key for each: one that the other replica made would say nothing of this one.
      for (const [index, limiter] of limiters.entries())
        await eventually('it counts in Redis again', () => counts(limiter, 'away', `again-${index}`), 15_000)
      expect(await allowed(limiters, 'c-3', 200)).toBe(RATE.burst)
    })

    it('does not wait for a Redis that hangs', async () => {
      const limiters = await replicas(1, 'hangs', RATE, 250)
      process.kill(redis.pid, 'SIGSTOP')
      try {
        expect(await allowed(limiters, 'c-1', 200)).toBe(RATE.burst)
      } finally {
        process.kill(redis.pid, 'SIGCONT')
      }
      await eventually('it counts in Redis again', () => counts(limiters[0]!, 'hangs', 'again'), 15_000)
    })
  })
