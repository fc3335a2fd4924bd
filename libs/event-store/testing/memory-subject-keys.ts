import type { Random } from '#kernel'
import { createSubjectKey, SubjectErased, type SubjectKey, type SubjectKeys } from '../subject-keys.js'

/** Subject keys in memory, deterministic where a seeded `random` is given. */
export const memorySubjectKeys = (masterKey: Uint8Array, random?: Random): SubjectKeys & { destroy(subject: string): void } => {
  const keys = new Map<string, SubjectKey | 'destroyed'>()
  return {
    async forSubject(subject) {
      const key = keys.get(subject) ?? createSubjectKey(masterKey, subject, random)
      if (key === 'destroyed') throw new SubjectErased(subject)
      keys.set(subject, key)
      return key
    },
    destroy: (subject) => void keys.set(subject, 'destroyed'),
  }
}
