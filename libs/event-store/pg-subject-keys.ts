import type pg from 'pg'
import { createSubjectKey, SubjectErased, unwrapSubjectKey, type SubjectKeys } from './subject-keys.js'

const CREATE = 'INSERT INTO subject_keys (subject, wrapped_key) VALUES ($1, $2) ON CONFLICT DO NOTHING'
const FIND = 'SELECT wrapped_key FROM subject_keys WHERE subject = $1'

/** Keys in the table `subject_keys`. Two that make a subject's key at once end with the same one. */
export const pgSubjectKeys = (pool: pg.Pool, masterKey: Uint8Array): SubjectKeys => ({
  async forSubject(subject) {
    const find = async () => {
      const { rows } = await pool.query<{ wrapped_key: Buffer | null }>({ name: 'subject_key_find', text: FIND, values: [subject] })
      return rows[0]
    }
    let row = await find()
    if (!row) {
      const wrapped = Buffer.from(createSubjectKey(masterKey, subject).wrapped, 'base64url')
      await pool.query({ name: 'subject_key_create', text: CREATE, values: [subject, wrapped] })
      row = await find()
    }
    if (!row?.wrapped_key) throw new SubjectErased(subject)
    const key = unwrapSubjectKey(masterKey, subject, row.wrapped_key.toString('base64url'))
    if (!key) throw new Error('a subject key cannot be unwrapped: it was wrapped by another master key')
    return key
  },
})
