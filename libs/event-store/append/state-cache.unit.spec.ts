import { describe, expect, it } from '@jest/globals'
import { StateCache } from './state-cache.js'

describe('the cache of states', () => {
  const entry = (text: string, version = 1) => ({ version, state: { text }, head: Buffer.alloc(32), time: 0 })
  const clock = { now: () => 0 }

  it('stays within its bytes, and lets the least recently used go', () => {
    const cache = new StateCache(40_000, clock)
    for (let at = 0; at < 100; at++) {
      cache.put(`s${at}`, entry('x'.repeat(1_000)), 0)
      cache.get('s0')
    }
    expect(cache.get('s0')).toBeDefined()
    expect(cache.get('s50')).toBeUndefined()
    expect(cache.get('s99')).toBeDefined()
  })

  it('measures a state again as it grows, and does not count what is gone', () => {
    const cache = new StateCache(1_000_000, clock)
    cache.put('s', entry('small'), 0)
    for (let at = 0; at < 10_000; at++) cache.put('s', entry('small', at), 200)
    expect(cache.get('s')?.size_bytes).toBeLessThan(20_000)
    for (let at = 0; at < 100; at++) cache.put('s', entry('x'.repeat(at * 1_000), at), 1_000)
    expect(cache.get('s')?.size_bytes).toBeGreaterThan(90_000)
  })

  it('lets go of what nobody asked for in five minutes, and keeps what somebody did', () => {
    let now_ms = 1_000
    const cache = new StateCache(1_000_000, { now: () => now_ms })
    for (let at = 0; at < 100; at++) cache.put(`s${at}`, entry('small'), 0)
    now_ms += 200_000
    cache.get('s0')
    cache.put('s1', entry('small', 2), 10)
    expect(cache.dropIdle()).toBe(0)
    now_ms += 150_000
    expect(cache.dropIdle()).toBe(98)
    expect([cache.get('s0')?.version, cache.get('s1')?.version, cache.get('s2')]).toEqual([1, 2, undefined])
  })
})
