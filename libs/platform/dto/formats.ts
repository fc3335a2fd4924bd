import { field, rule, Text, type FieldOptions } from './fields.js'

/** Whole-string patterns, as OpenAPI shows them. */
export const PATTERNS = {
  uuid: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  pincode: '^[1-9][0-9]{5}$',
  phone: '^\\+91[6-9][0-9]{9}$',
  vpa: '^[a-zA-Z0-9._-]{2,256}@[a-zA-Z][a-zA-Z0-9]{1,63}$',
  visibleAscii: '^[\\x21-\\x7e]+$',
  sku: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
} as const

const uuid = new RegExp(PATTERNS.uuid)

/** Lower-case hex with hyphens: the form in which ids are stored and compared. */
export const isUuid = (value: unknown): value is string => typeof value === 'string' && uuid.test(value)

interface PathForm {
  /** As OpenAPI shows it. */
  readonly schema: Readonly<Record<'type' | 'pattern', string>> & {
    readonly format?: string
    readonly minLength?: number
    readonly maxLength?: number
  }
  test(value: string): boolean
}

const UUID_FORM: PathForm = { schema: { type: 'string', format: 'uuid', pattern: PATTERNS.uuid }, test: isUuid }
const sku = new RegExp(PATTERNS.sku)
const SKU_FORM: PathForm = { schema: { type: 'string', pattern: PATTERNS.sku }, test: (value) => sku.test(value) }
const visibleAscii = new RegExp(PATTERNS.visibleAscii)
const OTHER_FORM: PathForm = {
  schema: { type: 'string', pattern: PATTERNS.visibleAscii, minLength: 1, maxLength: 128 },
  test: (value) => value.length <= 128 && visibleAscii.test(value),
}

/** What a path's parameter must look like, else 404: a UUID if it is an id, unless the client chooses it (`ClientIds`); a sku; visible ASCII. */
export const pathForm = (name: string, clientIds: readonly string[]): PathForm => {
  if (name === 'sku') return SKU_FORM
  return /(^id|Id)$/.test(name) && !clientIds.includes(name) ? UUID_FORM : OTHER_FORM
}

const text = (pattern: string, words: string, length: { min: number; max: number }, options: FieldOptions): PropertyDecorator =>
  Text({ ...options, ...length, pattern: { source: pattern, rule: words } })

export const Uuid = (options: FieldOptions = {}): PropertyDecorator =>
  field(options, { type: 'string', format: 'uuid', pattern: PATTERNS.uuid }, rule('uuid', 'must be a UUID in lower case', isUuid))

/** PIN code of India Post. */
export const Pincode = (options: FieldOptions = {}): PropertyDecorator =>
  text(PATTERNS.pincode, 'must be a PIN code: 6 digits, the first 1 to 9', { min: 6, max: 6 }, { example: '560001', ...options })

/** Indian mobile number, E.164. */
export const IndianPhone = (options: FieldOptions = {}): PropertyDecorator =>
  text(PATTERNS.phone, 'must be +91 and 10 digits, the first 6 to 9', { min: 13, max: 13 }, { example: '+919876543210', ...options })

/** UPI id. */
export const Vpa = (options: FieldOptions = {}): PropertyDecorator =>
  text(PATTERNS.vpa, 'must be a UPI id such as name@bank', { min: 5, max: 321 }, { example: 'success@upi', ...options })

export const Sku = (options: FieldOptions = {}): PropertyDecorator =>
  text(PATTERNS.sku, 'must be letters, digits, dots, hyphens and underscores', { min: 1, max: 64 }, { example: 'BOAT-141', ...options })

/** A reference, token or other id that the client chose. */
export const VisibleAscii = (max: number, options: FieldOptions = {}): PropertyDecorator =>
  text(PATTERNS.visibleAscii, 'must be visible ASCII characters', { min: 1, max }, options)

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/

/** Whether a text is an instant of RFC 3339 that exists. */
export const isInstant = (value: unknown): value is string => {
  if (typeof value !== 'string' || value.length > 40 || !rfc3339.test(value)) return false
  const day = Date.parse(`${value.slice(0, 10)}T00:00:00Z`)
  // Date.parse takes 30 February for 2 March.
  return !Number.isNaN(Date.parse(value)) && !Number.isNaN(day) && new Date(day).toISOString().startsWith(value.slice(0, 10))
}

export const Instant = (options: FieldOptions = {}): PropertyDecorator =>
  field(
    { example: '2026-11-01T00:00:00.000Z', ...options },
    { type: 'string', format: 'date-time' },
    rule('instant', 'must be a time of RFC 3339 such as 2026-11-01T00:00:00.000Z', isInstant),
  )
