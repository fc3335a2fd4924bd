import { describe, expect, it } from '@jest/globals'
import { masterKeysOf, openWith, seal, sealedText } from '#event-store'
import { memorySubjectKeys, subjectKeysConformance } from '#event-store/testing'
import { seededRandom } from '#kernel/testing'
import fc from 'fast-check'
import { createSubjectKey } from './subject-keys.js'

describe('sealed text', () => {
  it('opens under the key and for the subject that it was sealed for, and only as it was sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), (text, seed) => {
        const random = seededRandom(seed)
        const key = createSubjectKey('c-1', random)
        const sealed = seal(key, text, random)
        expect(openWith(key, sealed)).toBe(text)
        expect(openWith(createSubjectKey('c-1', random), sealed)).toBeUndefined()
        expect(openWith({ ...key, subject: 'c-2' }, { ...sealed, subject: 'c-2' })).toBeUndefined()
        expect(openWith(key, { ...sealed, ciphertext: `AAAA${sealed.ciphertext}` })).toBeUndefined()
        expect(JSON.stringify(sealed)).not.toContain(Buffer.from(key.key).toString('base64url'))
      }),
    )
  })

  it('is told from other JSON', () => {
    const sealed = seal(createSubjectKey('c-1'), 'x')
    expect(sealedText({ ...sealed, more: 1 })).toEqual(sealed)
    for (const other of [null, undefined, 'x', [], {}, { ...sealed, nonce: 1 }]) expect(sealedText(other)).toBeUndefined()
  })

  it('names a master key without telling it', () => {
    const [one, two] = masterKeysOf('1'.repeat(32), '2'.repeat(40))
    expect(new Set([one.id, two?.id]).size).toBe(2)
    expect(Buffer.from(one.key).toString()).not.toContain(one.id)
    expect(() => masterKeysOf('short')).toThrow(RangeError)
  })
})

subjectKeysConformance('memory', async () => ({ keys: memorySubjectKeys(seededRandom(1)), close: () => Promise.resolve() }))
