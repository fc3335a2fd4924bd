import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import type { Random } from '#kernel'

/** The data key of one person's personal data, and the same wrapped by the master key, as it travels beside what it sealed. */
export interface SubjectKey {
  readonly subject: string
  readonly key: Uint8Array
  /** base64url */
  readonly wrapped: string
}

/** Text under a subject's key; the fields are base64url. What `Sealed` of the contracts looks like. */
export interface SealedText {
  readonly subject: string
  readonly key: string
  readonly nonce: string
  readonly ciphertext: string
}

/** The subject's key was destroyed at the subject's request; there will not be another. */
export class SubjectErased extends Error {
  constructor(readonly subject: string) {
    super('the key of this subject was destroyed')
  }
}

export interface SubjectKeys {
  /** The subject's key, made when there is none yet. Rejects with `SubjectErased`. */
  forSubject(subject: string): Promise<SubjectKey>
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** The master key as configured: 32 bytes, or any longer secret, which is hashed to 32. */
export const masterKeyOf = (secret: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(secret)
  if (bytes.length < 32) throw new RangeError('the master key has at least 32 bytes')
  return bytes.length === 32 ? bytes : createHash('sha256').update(bytes).digest()
}

export const createSubjectKey = (masterKey: Uint8Array, subject: string, random?: Random): SubjectKey => {
  const key = bytesOf(32, random)
  return { subject, key, wrapped: encrypt(masterKey, key, `key:${subject}`, random).toString('base64url') }
}

export const unwrapSubjectKey = (masterKey: Uint8Array, subject: string, wrapped: string): SubjectKey | undefined => {
  const key = decrypt(masterKey, Buffer.from(wrapped, 'base64url'), `key:${subject}`)
  return key && { subject, key, wrapped }
}

/** AES-256-GCM under the subject's key, bound to the subject. `random` is for simulations alone; else the system's entropy is used. */
export const seal = (key: SubjectKey, plaintext: string, random?: Random): SealedText => {
  const sealed = encrypt(key.key, Buffer.from(plaintext), `text:${key.subject}`, random)
  const nonce = sealed.subarray(0, NONCE_BYTES)
  return {
    subject: key.subject,
    key: key.wrapped,
    nonce: nonce.toString('base64url'),
    ciphertext: sealed.subarray(NONCE_BYTES).toString('base64url'),
  }
}

/** The text, or undefined where the master key, the wrapped key and the ciphertext do not belong together. */
export const openSealed = (masterKey: Uint8Array, sealed: SealedText): string | undefined => {
  const key = unwrapSubjectKey(masterKey, sealed.subject, sealed.key)
  if (!key) return undefined
  const bytes = Buffer.concat([Buffer.from(sealed.nonce, 'base64url'), Buffer.from(sealed.ciphertext, 'base64url')])
  return decrypt(key.key, bytes, `text:${sealed.subject}`)?.toString()
}

/** nonce | ciphertext | tag */
const encrypt = (key: Uint8Array, plaintext: Uint8Array, bound: string, random?: Random): Buffer => {
  const nonce = bytesOf(NONCE_BYTES, random)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(bound))
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

const decrypt = (key: Uint8Array, bytes: Buffer, bound: string): Buffer | undefined => {
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
