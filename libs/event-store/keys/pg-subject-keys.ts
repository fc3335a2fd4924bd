import type { Clock } from '#kernel'
import { LRUCache } from 'lru-cache'
import type pg from 'pg'
import {
  checkSubject,
  createSubjectKey,
  openWith,
  SubjectErased,
  unwrapSubjectKey,
  wrapSubjectKey,
  type MasterKeys,
  type Opener,
  type SealedText,
  type SubjectKey,
  type SubjectKeys,
} from './subject-keys.js'

const CREATE = `
INSERT INTO subject_keys (subject, wrapped_key, master_key_id)
SELECT subject, wrapped_key, $3 FROM unnest($1::text[], $2::bytea[]) AS made (subject, wrapped_key) ORDER BY subject
ON CONFLICT DO NOTHING`
const FIND = 'SELECT subject, wrapped_key, master_key_id FROM subject_keys WHERE subject = ANY ($1)'
const ERASE = `
INSERT INTO subject_keys AS k (subject, destroyed_at) VALUES ($1, now())
ON CONFLICT (subject) DO UPDATE SET wrapped_key = NULL, master_key_id = NULL, destroyed_at = now() WHERE k.destroyed_at IS NULL`
const WRAPPED_BEFORE = `
SELECT subject, wrapped_key, master_key_id FROM subject_keys
WHERE wrapped_key IS NOT NULL AND master_key_id <> $1 AND subject > $2 ORDER BY subject LIMIT $3`
/** Not where it was destroyed or wrapped anew meanwhile. */
const REWRAP = 'UPDATE subject_keys SET wrapped_key = $2, master_key_id = $3 WHERE subject = $1 AND wrapped_key = $4'

/** How long a process may go on reading with a key that another has destroyed. */
const REMEMBERED_MS = 5_000
const MOST_REMEMBERED = 10_000
const PAGE = 500
/** Subjects a trip; a sale brings many callers at once, who are not to wait for a connection each. */
const MOST_TOGETHER = 500

interface KeyRow {
  readonly subject: string
  readonly wrapped_key: Buffer | null
  readonly master_key_id: string | null
}

/** Keys in the table `subject_keys` of the pool's schema. Two that make a subject's key at once end with the same one. */
export const pgSubjectKeys = (pool: pg.Pool, masterKeys: MasterKeys, clock: Pick<Clock, 'now'>): SubjectKeys => {
  const remembered = new LRUCache<string, { readonly key: SubjectKey; readonly until_ms: number }>({ max: MOST_REMEMBERED })
  const find = async (subjects: readonly string[]): Promise<readonly KeyRow[]> =>
    (await pool.query<KeyRow>({ name: 'subject_keys_find', text: FIND, values: [subjects] })).rows

  const findOrCreate = async (subjects: readonly string[]): Promise<readonly KeyRow[]> => {
    const found = await find(subjects)
    if (found.length === subjects.length) return found
    const there = new Set(found.map(({ subject }) => subject))
    const missing = subjects.filter((subject) => !there.has(subject))
    const [master] = masterKeys
    const wrapped = missing.map((subject) => wrapSubjectKey(master, createSubjectKey(subject)))
    await pool.query({ name: 'subject_keys_create', text: CREATE, values: [missing, wrapped, master.id] })
    // Read again: where another was quicker, its key is the one.
    return [...found, ...(await find(missing))]
  }
  const rowOf = inTurns(findOrCreate)

  const remember = (subject: string, wrapped: Buffer, masterKeyId: string | null, asked_ms: number): SubjectKey => {
    const key = unwrapRow(masterKeys, subject, wrapped, masterKeyId)
    remembered.set(subject, { key, until_ms: asked_ms + REMEMBERED_MS })
    return key
  }

  /** Those that are there and can be unwrapped. */
  const keysOf = async (subjects: ReadonlySet<string>): Promise<ReadonlyMap<string, SubjectKey>> => {
    const found = new Map<string, SubjectKey>()
    const missing: string[] = []
    for (const subject of subjects) {
      const known = remembered.get(subject)
      if (known && clock.now() < known.until_ms) found.set(subject, known.key)
      else missing.push(subject)
    }
    if (missing.length === 0) return found
    const asked_ms = clock.now()
    for (const row of await find(missing)) {
      if (!row.wrapped_key) continue
      found.set(row.subject, remember(row.subject, row.wrapped_key, row.master_key_id, asked_ms))
    }
    return found
  }

  const openerOf = async (subjects: readonly string[]): Promise<Opener> => {
    const keys = await keysOf(new Set(subjects))
    return (sealed) => {
      const key = keys.get(sealed.subject)
      return key && openWith(key, sealed)
    }
  }

  return {
    // Never from memory: nothing is sealed under a key that is no more.
    async forSubject(subject) {
      checkSubject(subject)
      const asked_ms = clock.now()
      const row = await rowOf(subject)
      if (!row?.wrapped_key) throw new SubjectErased(subject)
      return remember(row.subject, row.wrapped_key, row.master_key_id, asked_ms)
    },

    openerOf,

    async openAll(sealed: readonly SealedText[]) {
      return sealed.map(await openerOf(sealed.map(({ subject }) => subject)))
    },

    async erase(subject) {
      checkSubject(subject)
      const { rowCount } = await pool.query(ERASE, [subject])
      remembered.delete(subject)
      return rowCount === 1
    },
  }
}

/**
 * One trip at a time, for all that asked while the last was under way: whoever asks gets what was read after that.
 */
const inTurns = (read: (subjects: readonly string[]) => Promise<readonly KeyRow[]>): ((subject: string) => Promise<KeyRow | undefined>) => {
  const waiting = new Map<string, PromiseWithResolvers<KeyRow | undefined>>()
  let running = false
  const run = async (): Promise<void> => {
    running = true
    while (waiting.size > 0) {
      const taken = [...waiting].slice(0, MOST_TOGETHER)
      for (const [subject] of taken) waiting.delete(subject)
      try {
        const rows = new Map((await read(taken.map(([subject]) => subject))).map((row) => [row.subject, row]))
        for (const [subject, { resolve }] of taken) resolve(rows.get(subject))
      } catch (error) {
        for (const [, { reject }] of taken) reject(error)
      }
    }
    running = false
  }
  return (subject) => {
    const asked = waiting.get(subject) ?? Promise.withResolvers<KeyRow | undefined>()
    waiting.set(subject, asked)
    // The next turn of the loop: those of the same moment go together.
    if (!running) {
      running = true
      setImmediate(() => void run())
    }
    return asked.promise
  }
}

/** Wraps every key anew that an older master key had wrapped; answers how many. Nothing that was sealed changes. It may run beside the apps, and again. */
export const rewrapSubjectKeys = async (pool: pg.Pool, masterKeys: MasterKeys): Promise<number> => {
  const [master] = masterKeys
  let rewrapped = 0
  let after = ''
  for (;;) {
    const { rows } = await pool.query<KeyRow>(WRAPPED_BEFORE, [master.id, after, PAGE])
    for (const { subject, wrapped_key, master_key_id } of rows) {
      if (!wrapped_key) continue
      const key = unwrapRow(masterKeys, subject, wrapped_key, master_key_id)
      const { rowCount } = await pool.query(REWRAP, [subject, wrapSubjectKey(master, key), master.id, wrapped_key])
      rewrapped += rowCount ?? 0
    }
    const last = rows.at(-1)
    if (!last || rows.length < PAGE) return rewrapped
    after = last.subject
  }
}

const unwrapRow = (masterKeys: MasterKeys, subject: string, wrapped: Buffer, id: string | null): SubjectKey => {
  const master = masterKeys.find((each) => each.id === id)
  const key = master && unwrapSubjectKey(master, subject, wrapped)
  if (!key) throw new Error(`a subject key was wrapped by the master key ${id ?? ''}, which is not configured`)
  return key
}
