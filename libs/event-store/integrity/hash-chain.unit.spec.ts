import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { eventHash, type HashedEvent } from './hash-chain.js'

describe('the hash chain', () => {
  const bytes = fc.uint8Array({ maxLength: 20 })
  const event: fc.Arbitrary<HashedEvent> = fc.record({
    stream: fc.string({ maxLength: 5 }),
    version: fc.maxSafeNat(),
    type: fc.string({ maxLength: 5 }),
    schemaVersion: fc.nat(),
    time: fc.maxSafeNat(),
    payload: bytes,
    metadata: bytes,
  })

  it('differs for any two events that differ', () => {
    fc.assert(
      fc.property(event, bytes, event, bytes, (one, before, other, otherBefore) => {
        const same = JSON.stringify([one, before]) === JSON.stringify([other, otherBefore])
        expect(eventHash(one, before).equals(eventHash(other, otherBefore))).toBe(same)
      }),
    )
  })

  it('does not let bytes move from one field to the next', () => {
    const base = { stream: 's', version: 1, type: 't', schemaVersion: 1, time: 1 }
    const one = eventHash({ ...base, payload: Buffer.from('ab'), metadata: Buffer.from('c') }, Buffer.alloc(0))
    expect(eventHash({ ...base, payload: Buffer.from('a'), metadata: Buffer.from('bc') }, Buffer.alloc(0)).equals(one)).toBe(false)
  })

  it('is what is written down, for good', () => {
    const hash = eventHash(
      {
        stream: 'tally-1',
        version: 1,
        type: 'Changed',
        schemaVersion: 1,
        time: 0,
        payload: Buffer.from('{}'),
        metadata: Buffer.from('{}'),
      },
      Buffer.alloc(0),
    )
    expect(hash.toString('hex')).toBe('9821906b05ac55fbdb8216f81a480e3b25bc16c49c5187eb44af57386867b993')
  })
})
