import type { Random } from '#kernel'
import { checkSubject, createSubjectKey, openWith, SubjectErased, type SubjectKey, type SubjectKeys } from '../subject-keys.js'

/** Subject keys in memory, deterministic where a seeded `random` is given. */
export const memorySubjectKeys = (random?: Random): SubjectKeys => {
  const keys = new Map<string, SubjectKey | 'destroyed'>()
  return {
    async forSubject(subject) {
      checkSubject(subject)
      const key = keys.get(subject) ?? createSubjectKey(subject, random)
      if (key === 'destroyed') throw new SubjectErased(subject)
      keys.set(subject, key)
      return key
    },

    async openAll(sealed) {
      return sealed.map((each) => {
        const key = keys.get(each.subject)
        return key === undefined || key === 'destroyed' ? undefined : openWith(key, each)
      })
    },

    async erase(subject) {
      checkSubject(subject)
      const before = keys.get(subject)
      keys.set(subject, 'destroyed')
      return before !== 'destroyed'
    },
  }
}
