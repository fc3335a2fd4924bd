import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { seal, SubjectErased, type SubjectKeys } from '../keys/subject-keys.js'

export interface SubjectKeysHarness {
  readonly keys: SubjectKeys
  close(): Promise<void>
}

/** What every place of subject keys does. */
export const subjectKeysConformance = (name: string, make: () => Promise<SubjectKeysHarness>): void => {
  describe(`${name} as a place of subject keys`, () => {
    let harness: SubjectKeysHarness
    let keys: SubjectKeys
    beforeAll(async () => {
      harness = await make()
      keys = harness.keys
    })
    afterAll(() => harness.close())

    it('keeps one key a subject, also when it is made many times at once', async () => {
      const made = await Promise.all([1, 2, 3, 4].map(() => keys.forSubject('one')))
      expect(new Set(made.map(({ key }) => Buffer.from(key).toString('hex'))).size).toBe(1)
      expect(Buffer.from((await keys.forSubject('another')).key)).not.toEqual(Buffer.from(made[0]!.key))
    })

    it('opens many at once, and nothing that is not as it was sealed', async () => {
      const [a, b] = [await keys.forSubject('open-a'), await keys.forSubject('open-b')]
      const first = seal(a, 'पता')
      const texts = [first, seal(b, ''), { ...first, subject: 'open-b' }, { ...first, subject: 'nobody' }, { ...first, nonce: 'AAAA' }]
      expect(await keys.openAll(texts)).toEqual(['पता', '', undefined, undefined, undefined])
      expect(await keys.openAll([])).toEqual([])
    })

    it('opens later with the keys that were there, and of no subject that was not named', async () => {
      const [named, other] = [seal(await keys.forSubject('named'), 'x'), seal(await keys.forSubject('unnamed'), 'y')]
      const open = await keys.openerOf(['named', 'nobody'])
      expect([named, other, { ...named, nonce: 'AAAA' }].map(open)).toEqual(['x', undefined, undefined])
    })

    it('opens nothing of an erased subject any more, and makes it no other key', async () => {
      const [gone, other] = [seal(await keys.forSubject('gone'), 'x'), seal(await keys.forSubject('stays'), 'y')]
      expect(await keys.openAll([gone, other])).toEqual(['x', 'y'])
      expect(await keys.erase('gone')).toBe(true)
      expect(await keys.openAll([gone, other])).toEqual([undefined, 'y'])
      await expect(keys.forSubject('gone')).rejects.toBeInstanceOf(SubjectErased)
      expect(await keys.erase('gone')).toBe(false)
    })

    it('erases a subject before it has a key', async () => {
      expect(await keys.erase('early')).toBe(true)
      await expect(keys.forSubject('early')).rejects.toBeInstanceOf(SubjectErased)
    })

    it.each([[''], ['x'.repeat(513)], ['a\0b']])('refuses what is no subject', async (subject) => {
      await expect(keys.forSubject(subject)).rejects.toBeInstanceOf(RangeError)
      await expect(keys.erase(subject)).rejects.toBeInstanceOf(RangeError)
    })
  })
}
