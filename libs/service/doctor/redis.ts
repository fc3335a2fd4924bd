import { Redis } from 'ioredis'
import { failed, patiently, reasonOf, type Told } from './finding.js'

export const redisAnswers = async (url: string): Promise<Told> => {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 3_000,
    commandTimeout: 3_000,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  })
  // What is wrong with the connection is told here; the promise says only that it is closed.
  let reason: unknown
  redis.on('error', (error) => (reason = error))
  try {
    await patiently(redis.connect())
    const version = /redis_version:(\S+)/.exec(await patiently(redis.info('server')))?.[1] ?? 'unknown'
    return { check: 'redis', status: 'ok', found: `answers, version ${version}` }
  } catch (error) {
    return failed(
      'redis',
      reasonOf(reason ?? error),
      'start Redis, or mend REDIS_URL. Until then each replica counts rate limits for itself',
    )
  } finally {
    redis.disconnect()
  }
}
