import type { Clock } from '#kernel'
import { Redis } from 'ioredis'

/** For how long an entry stands; only where Redis could not be told of a change is it as old as that. */
const LIFE_MS = 5_000
/** While a change is fresh nothing is put: what was read before it may still be on its way. */
const CHANGED_MS = 2_000
/** What took longer from the database than this is not put. Below `CHANGED_MS`, so that nothing older than a change outlives its mark. */
const MOST_LOAD_MS = 1_000
const MOST_CHARACTERS = 32_768
const ANSWER_MS = 50
/** For how long nobody asks a Redis that did not answer. */
const REST_MS = 1_000

/** What is kept. Of an order what is personal stays sealed, and whose it is stands in it: who may see it is asked at each read. */
export type Kept = 'product' | 'order'

/** What reads found, kept for all replicas. It may know nothing at any time; what it knows is what the database said after the last change. */
export interface ReadCache {
  /** What is kept of the one with this id, else what `load` gives, which is kept. */
  through(kind: Kept, id: string, load: () => Promise<string | undefined>): Promise<string | undefined>
  /** What is kept of these is old: called once the change is committed. */
  changed(kind: Kept, ids: readonly string[]): Promise<void>
  close(): void
}

/** Where no Redis is: every read asks the database. */
export const noCache: ReadCache = {
  through: (_kind, _id, load) => load(),
  changed: () => Promise.resolve(),
  close: () => undefined,
}

export type CacheOutcome = 'hit' | 'miss' | 'away'

/**
 * In Redis. One that is away costs a read at most `ANSWER_MS`, and then, for `REST_MS`, nothing. An empty text marks a change; nothing is put over it.
 */
export const redisCache = (url: string, clock: Pick<Clock, 'now'>, onRead: (kind: Kept, outcome: CacheOutcome) => void): ReadCache => {
  const redis = new Redis(url, { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: ANSWER_MS, connectTimeout: 1_000 })
  // Without a listener a lost connection would end the process; ioredis connects again by itself.
  redis.on('error', () => undefined)
  let restUntil = 0
  /** Undefined while it does not answer. */
  const ask = async <T>(work: () => Promise<T>): Promise<{ readonly said: T } | undefined> => {
    if (clock.now() < restUntil) return undefined
    try {
      return { said: await work() }
    } catch {
      restUntil = clock.now() + REST_MS
      return undefined
    }
  }
  return {
    async through(kind, id, load) {
      const key = keyOf(kind, id)
      const found = await ask(() => redis.get(key))
      onRead(kind, found ? (found.said ? 'hit' : 'miss') : 'away')
      if (found?.said) return found.said
      const began = clock.now()
      const text = await load()
      // Not waited for: the answer is there.
      if (found?.said === null && text !== undefined && text.length <= MOST_CHARACTERS && clock.now() - began <= MOST_LOAD_MS)
        void ask(() => redis.set(key, text, 'PX', LIFE_MS, 'NX'))
      return text
    },
    async changed(kind, ids) {
      if (ids.length === 0) return
      const marks = redis.pipeline()
      for (const id of ids) marks.set(keyOf(kind, id), '', 'PX', CHANGED_MS)
      // Also while reads rest: an entry that nobody is told to forget stands until its life is over.
      await marks.exec().catch(() => undefined)
    },
    close: () => redis.disconnect(),
  }
}

const keyOf = (kind: Kept, id: string): string => `${kind}:${id}`
