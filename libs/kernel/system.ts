import { randomFillSync } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock, Ids, Random } from './ports.js'

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (delay_ms, signal) => wait(delay_ms, undefined, signal ? { signal } : {}),
}

export const systemRandom: Random = { next: () => Math.random() }

/** UUIDv7 by RFC 9562, method 1: within one millisecond the 12 bits of `rand_a` count up, so that ids of one process sort in order. */
export const uuidv7 = (clock: Clock, randomBytes: () => Uint8Array = cryptoBytes): Ids => {
  let last_ms = 0
  let counter = 0
  return {
    next() {
      const now = clock.now()
      if (now > last_ms) {
        last_ms = now
        counter = 0
      } else if (++counter > 0xfff) {
        last_ms++
        counter = 0
      }
      const bytes = randomBytes()
      const random = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
      const time = last_ms.toString(16).padStart(12, '0')
      const variant = (0x8 | (parseInt(random.charAt(0), 16) & 0x3)).toString(16)
      return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${variant}${random.slice(1, 4)}-${random.slice(4, 16)}`
    },
  }
}

const pool = Buffer.allocUnsafeSlow(4_096)
let used = pool.length

/** Where `length` random bytes, 32 at most, begin in `pool`, drawn for many at once: to draw them one by one takes longer than what they are for. */
const drawn = (length: number): number => {
  if (used + length > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += length
  return used - length
}

const cryptoBytes = (): Uint8Array => {
  const start = drawn(8)
  return pool.subarray(start, start + 8)
}

/** Hex digits of `length` bytes, 32 at most, that nobody can guess. */
export const randomHex = (length: number): string => {
  const start = drawn(length)
  return pool.toString('hex', start, start + length)
}

export const systemIds: Ids = uuidv7(systemClock)
