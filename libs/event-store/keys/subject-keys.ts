import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { JsonObject, Random } from '#kernel'

/** The data key of one person's personal data. It is kept wrapped in `subject_keys` and nowhere else. */
export interface SubjectKey {
  readonly subject: string
  readonly key: Uint8Array
}

/** Text under a subject's key; nonce and ciphertext are base64url. What `Sealed` of the contracts looks like. It opens only while the key is kept. */
export interface SealedText {
  readonly subject: string
  readonly nonce: string
  readonly ciphertext: string
}

/** The subject's key was destroyed at the subject's request; there will not be another. */
export class SubjectErased extends Error {
  constructor(readonly subject: string) {
    super('the key of this subject was destroyed')
  }
}

/** For who may read what is sealed. */
export interface SealedTexts {
  /** The texts in their order; undefined where the subject's key was destroyed, never was, or did not seal it. */
  openAll(sealed: readonly SealedText[]): Promise<readonly (string | undefined)[]>
}

/** The text; undefined where the subject's key was destroyed, never was, or did not seal it. */
export type Opener = (sealed: SealedText) => string | undefined

export interface SubjectKeys extends SealedTexts {
  /** Opens at once what these subjects' keys sealed: for whoever must not fail later because the keys cannot be had. Of no other subject. */
  openerOf(subjects: readonly string[]): Promise<Opener>
  /** The subject's key, made when there is none yet. Rejects with `SubjectErased`. */
  forSubject(subject: string): Promise<SubjectKey>
  /** Destroys the subject's key, for good, also where there is none yet. False: it was destroyed before. */
  erase(subject: string): Promise<boolean>
}

/** Wraps data keys: 32 bytes, and an id that says which it is without telling it. */
export interface MasterKey {
  readonly id: string
  readonly key: Uint8Array
}

/** The first wraps; all of them unwrap. */
export type MasterKeys = readonly [MasterKey, ...MasterKey[]]

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32
const MAX_SUBJECT_BYTES = 512

/** Of the configured secrets, each 32 bytes, or any longer secret, which is hashed to 32. The older ones are still to be opened, until what they wrapped is wrapped anew. */
export const masterKeysOf = (secret: string | Uint8Array, ...older: readonly (string | Uint8Array)[]): MasterKeys => [
  masterKeyOf(secret),
  ...older.map(masterKeyOf),
]

const masterKeyOf = (secret: string | Uint8Array): MasterKey => {
  const bytes = Buffer.from(secret)
  if (bytes.length < KEY_BYTES) throw new RangeError(`the master key has at least ${KEY_BYTES} bytes`)
  const key = bytes.length === KEY_BYTES ? bytes : createHash('sha256').update(bytes).digest()
  return { id: createHash('sha256').update('bahi.master-key.1').update(key).digest('hex').slice(0, 16), key }
}

export const checkSubject = (subject: string): void => {
  if (subject.length === 0 || Buffer.byteLength(subject) > MAX_SUBJECT_BYTES || subject.includes('\0'))
    throw new RangeError(`a subject has 1 to ${MAX_SUBJECT_BYTES} bytes and no NUL`)
}

export const createSubjectKey = (subject: string, random?: Random): SubjectKey => ({ subject, key: bytesOf(KEY_BYTES, random) })

export const wrapSubjectKey = (master: MasterKey, { subject, key }: SubjectKey): Buffer => encrypt(master.key, key, `key:${subject}`)

/** Undefined where this master key did not wrap it for this subject. */
export const unwrapSubjectKey = (master: MasterKey, subject: string, wrapped: Uint8Array): SubjectKey | undefined => {
  const key = decrypt(master.key, wrapped, `key:${subject}`)
  return key && { subject, key }
}

/** AES-256-GCM under the subject's key, bound to the subject. `random` is for simulations alone; else the system's entropy is used. */
export const seal = ({ subject, key }: SubjectKey, plaintext: string, random?: Random): SealedText => {
  const sealed = encrypt(key, Buffer.from(plaintext), `text:${subject}`, random)
  return {
    subject,
    nonce: sealed.subarray(0, NONCE_BYTES).toString('base64url'),
    ciphertext: sealed.subarray(NONCE_BYTES).toString('base64url'),
  }
}

/** The text, or undefined where this key did not seal it. */
export const openWith = ({ subject, key }: SubjectKey, sealed: SealedText): string | undefined => {
  if (sealed.subject !== subject) return undefined
  const bytes = Buffer.concat([Buffer.from(sealed.nonce, 'base64url'), Buffer.from(sealed.ciphertext, 'base64url')])
  return decrypt(key, bytes, `text:${subject}`)?.toString()
}

/** Seals what is kept for a while and whose person is not known yet. */
export interface Sealer {
  /** `about` names what it is: it opens as that alone. */
  seal(text: string, about: string): Buffer
  /** Undefined where none of the master keys sealed it, or not as this. */
  open(sealed: Uint8Array, about: string): string | undefined
}

/** AES-256-GCM under a key for this purpose alone (HKDF-SHA256 of the master key). What was sealed under an older one still opens. */
export const sealerFor = (purpose: string, masters: MasterKeys): Sealer => {
  const keyOf = ({ key }: MasterKey) => Buffer.from(hkdfSync('sha256', key, '', `bahi.${purpose}.1`, KEY_BYTES))
  const keys = masters.map(keyOf)
  const newest = keyOf(masters[0])
  return {
    seal: (text, about) => encrypt(newest, Buffer.from(text), `${purpose}:${about}`),
    open: (sealed, about) => {
      for (const key of keys) {
        const text = decrypt(key, sealed, `${purpose}:${about}`)
        if (text) return text.toString()
      }
      return undefined
    },
  }
}

/** What JSON holds as a sealed text, if that is what it is. */
export const sealedText = (json: unknown): SealedText | undefined => {
  if (typeof json !== 'object' || json === null) return undefined
  const { subject, nonce, ciphertext } = json as JsonObject
  return typeof subject === 'string' && typeof nonce === 'string' && typeof ciphertext === 'string'
    ? { subject, nonce, ciphertext }
    : undefined
}

/** nonce | ciphertext | tag */
const encrypt = (key: Uint8Array, plaintext: Uint8Array, bound: string, random?: Random): Buffer => {
  const nonce = bytesOf(NONCE_BYTES, random)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(bound))
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

const decrypt = (key: Uint8Array, bytes: Uint8Array, bound: string): Buffer | undefined => {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(bound)).setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}

const bytesOf = (length: number, random?: Random): Buffer =>
  random ? Buffer.from(Array.from({ length }, () => Math.floor(random.next() * 256))) : randomBytes(length)
