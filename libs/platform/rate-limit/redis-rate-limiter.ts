import type { Clock } from '#kernel'
import { Redis } from 'ioredis'
import { memoryRateLimiter, taken, type Rate, type RateLimiter } from './rate-limiter.js'

/** The bucket of `memoryRateLimiter`, in one atomic script, by the server's clock: replicas share it. */
const TAKE = `
local rate = tonumber(ARGV[1])
local burst = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1]) or burst
local at = tonumber(bucket[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
local allowed = 0
if tokens >= 1 then
  allowed = 1
  tokens = tokens - 1
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return { allowed, tostring(tokens) }`

type Script = (key: string, perSecond: number, burst: number) => Promise<[number, string]>

/** A caller waits so long for Redis at most. */
const COMMAND_TIMEOUT_MS = 250

/** Shared by replicas. While Redis is away each replica counts for itself: a limit that fails open is none, one that fails closed an outage. */
export const redisRateLimiter = (
  url: string,
  prefix: string,
  rate: Rate,
  clock: Clock,
  commandTimeout = COMMAND_TIMEOUT_MS,
): RateLimiter => {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout, connectTimeout: 1_000 })
  // Without a listener a lost connection would end the process; ioredis connects again by itself.
  redis.on('error', () => undefined)
  redis.defineCommand('takeToken', { numberOfKeys: 1, lua: TAKE })
  const script = (redis as unknown as { takeToken: Script }).takeToken.bind(redis)
  const alone = memoryRateLimiter(rate, clock)
  return {
    async take(key) {
      try {
        const [allowed, tokens] = await script(`${prefix}:${key}`, rate.perSecond, rate.burst)
        return taken(allowed === 1, Number(tokens), rate.perSecond)
      } catch {
        return alone.take(key)
      }
    },
    async close() {
      redis.disconnect()
    },
  }
}
