import { EXPIRING } from '#event-store'
import { createHmac, hash } from 'node:crypto'

/**
 * SHA-256 over the canonical form of parsed JSON, so that bodies that are equal as JSON have one fingerprint whatever their spacing and
 * order of names. (RFC 8785 in short: names sorted by UTF-16 units, numbers and strings as ECMAScript writes them.)
 */
export const fingerprint = (body: unknown): string => hash('sha256', canonical(body), 'base64url')

export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}

/** HMAC-SHA-256: lets somebody recognise a text who has the key, and nobody else learn it. */
export const keyedHash = (key: string, text: string): string => createHmac('sha256', key).update(text).digest('base64url')

/** One id per caller, method, path and key. Lengths are hashed too, so that no two quadruples run together. */
export const commandIdOf = (sub: string, method: string, path: string, key: string): string => {
  const parts = [sub, method, path, key].map((part) => `${Buffer.byteLength(part)}:${part}`)
  return `${EXPIRING}${hash('sha256', parts.join(''), 'base64url')}`
}
