import type { Random } from '#kernel'
import {
  checkSubject,
  createSubjectKey,
  openWith,
  SubjectErased,
  type Opener,
  type SubjectKey,
  type SubjectKeys,
} from '../keys/subject-keys.js'

/** Subject keys in memory, deterministic where a seeded `random` is given. */
export const memorySubjectKeys = (random?: Random): SubjectKeys => {
  const keys = new Map<string, SubjectKey | 'destroyed'>()
  const openerOf = async (subjects: readonly string[]): Promise<Opener> => {
    const had = new Map(subjects.map((subject) => [subject, keys.get(subject)]))
    return (sealed) => {
      const key = had.get(sealed.subject)
      return key === undefined || key === 'destroyed' ? undefined : openWith(key, sealed)
    }
  }
  return {
    async forSubject(subject) {
      checkSubject(subject)
      const key = keys.get(subject) ?? createSubjectKey(subject, random)
      if (key === 'destroyed') throw new SubjectErased(subject)
      keys.set(subject, key)
      return key
    },

    openerOf,

    async openAll(sealed) {
      return sealed.map(await openerOf(sealed.map(({ subject }) => subject)))
    },

    async erase(subject) {
      checkSubject(subject)
      const before = keys.get(subject)
      keys.set(subject, 'destroyed')
      return before !== 'destroyed'
    },
  }
}
