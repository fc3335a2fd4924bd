import { resolved, type Document, type Schema } from './operations.js'

/** One wrong body: what was done to which field, and what the answer must point at. */
export interface Wrong {
  readonly what: string
  readonly pointer: string
  readonly body: unknown
}

type Member = { readonly pointer: string; readonly schema: Schema; readonly required: boolean; readonly value: unknown }

const HUGE = '9'.repeat(400)

/** Values that a field of this schema does not take, each named. */
const wrongValues = (schema: Schema, field: Member): readonly (readonly [what: string, value: unknown])[] => {
  const any: [string, unknown][] = [['null', null]]
  switch (schema.type) {
    case 'string':
      return [
        ...any,
        ['a number', 1],
        ['true', true],
        ['a list', []],
        ['an object', {}],
        ...(schema.minLength === 0 ? [] : ([['empty', '']] as [string, unknown][])),
        ['NUL', `${String(field.value)}\u0000`],
        ['a lone surrogate', `${String(field.value)}\ud800`],
        ['too long', 'x'.repeat((schema.maxLength ?? 1_000) + 1)],
        ...(schema.pattern || schema.enum || field.pointer.endsWith('/at') || field.pointer.endsWith('expiresAt')
          ? ([
              ['of another form', '§ 12'],
              ['with a newline behind', `${String(field.value)}\n`],
            ] as [string, unknown][])
          : []),
        ...(field.pointer.endsWith('/amount') ? moneyAmounts : []),
        ...(field.pointer.endsWith('/pincode')
          ? ([
              ['a PIN code that begins with 0', '056001'],
              ['a short PIN code', '56001'],
              ['digits of another script', '५६०००१'],
            ] as [string, unknown][])
          : []),
        ...(field.pointer.endsWith('/phone') ? ([['a phone of elsewhere', '+14155550100']] as [string, unknown][]) : []),
      ]
    case 'integer':
    case 'number':
      return [
        ...any,
        ['text', String(field.value)],
        ['a list', [1]],
        ['true', true],
        ['a fraction', 1.5],
        ['too small', (schema.minimum ?? 0) - 1],
        ['too large', (schema.maximum ?? Number.MAX_SAFE_INTEGER) + 1],
        ['huge', 1e300],
        ...((schema.minimum ?? 0) >= 1
          ? ([
              ['zero', 0],
              ['negative', -1],
            ] as [string, unknown][])
          : []),
      ]
    case 'boolean':
      return [...any, ['text', 'true'], ['a number', 1]]
    case 'array':
      return [
        ...any,
        ['an object', {}],
        ['text', 'x'],
        ...((schema.minItems ?? 0) > 0 ? ([['empty', []]] as [string, unknown][]) : []),
        ['too many', Array.from({ length: (schema.maxItems ?? 100) + 1 }, () => (field.value as unknown[])[0])],
        ['of null', [null]],
        ['of lists', [[]]],
      ]
    default:
      return [...any, ['a list', []], ['text', 'x'], ['a number', 1]]
  }
}

const moneyAmounts: [string, unknown][] = [
  ['a float', '1.5'],
  ['a float that is a number', 1.5],
  ['negative', '-1'],
  ['with a plus', '+1'],
  ['with leading zeros', '007'],
  ['hexadecimal', '0x10'],
  ['an exponent', '1e3'],
  ['grouped', '1,499'],
  ['huge', HUGE],
  ['NaN', 'NaN'],
]

/** Every field that a body holds, with its schema, by its pointer. */
const membersOf = (document: Document, schema: Schema, value: unknown, pointer = ''): Member[] => {
  const own = variantOf(document, resolved(document, schema), value)
  if (Array.isArray(value))
    return own.items ? value.flatMap((item, index) => membersOf(document, own.items ?? {}, item, `${pointer}/${index}`)) : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => {
    const of = own.properties?.[name]
    if (!of) return []
    const inner = variantOf(document, resolved(document, of), member)
    const here = { pointer: `${pointer}/${name}`, schema: inner, required: own.required?.includes(name) ?? false, value: member }
    return [here, ...membersOf(document, of, member, here.pointer)]
  })
}

/** Of a union, the variant that the value is one of: whose properties and single-valued enums it has. */
const variantOf = (document: Document, schema: Schema, value: unknown): Schema => {
  if (!schema.oneOf) return schema
  const variants = schema.oneOf.map((variant) => resolved(document, variant))
  const fits = (variant: Schema) =>
    Object.entries((value ?? {}) as object).every(([name, member]) => {
      const property = variant.properties?.[name]
      return property && (property.enum === undefined || property.enum.includes(member))
    })
  return variants.find(fits) ?? schema
}

const withValue = (body: unknown, pointer: string, change: (holder: Record<string, unknown>, name: string) => void): unknown => {
  const copy = structuredClone(body)
  const names = pointer.split('/').slice(1)
  let holder = copy as Record<string, unknown>
  for (const name of names.slice(0, -1)) holder = holder[name] as Record<string, unknown>
  change(holder, names.at(-1) ?? '')
  return copy
}

const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)

/** The body wrong in every way that its schema knows of. */
export const wrongsOf = (document: Document, schema: Schema, body: unknown): Wrong[] => {
  const members = membersOf(document, schema, body)
  const fields = members.flatMap((field): Wrong[] => {
    const set = (value: unknown) => withValue(body, field.pointer, (holder, name) => (holder[name] = value))
    return [
      ...(field.required
        ? [{ what: 'missing', pointer: field.pointer, body: withValue(body, field.pointer, (holder, name) => delete holder[name]) }]
        : []),
      ...wrongValues(field.schema, field).map(([what, value]) => ({ what, pointer: field.pointer, body: set(value) })),
      { what: 'nested deeply', pointer: field.pointer, body: set(nested(20)) },
    ]
  })
  const objects = ['', ...members.filter(({ schema: of, value }) => isClosed(of) && isObject(value)).map(({ pointer }) => pointer)]
  const unknown = objects.flatMap((pointer) =>
    ['surprise', 'a/b~c', 'toString', 'customerID'].map((name) => ({
      what: `an unknown field ${name}`,
      pointer: `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      body:
        pointer === ''
          ? { ...(body as object), [name]: 1 }
          : withValue(body, pointer, (holder, last) => (holder[last] = { ...(holder[last] as object), [name]: 1 })),
    })),
  )
  return [...fields, ...unknown]
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isClosed = (schema: Schema): boolean => schema.properties !== undefined || schema.oneOf !== undefined

/** Bodies that are no object at all. */
export const NO_OBJECTS: readonly (readonly [what: string, text: string])[] = [
  ['a list', '[]'],
  ['null', 'null'],
  ['a number', '1'],
  ['text', '"x"'],
  ['true', 'true'],
]
export const BROKEN: readonly (readonly [what: string, text: string])[] = [
  ['cut off', '{"a":'],
  ['no JSON', 'hello'],
  ['a trailing comma', '{"a":1,}'],
  ['two values', '{}{}'],
  ['__proto__', '{"__proto__":{"admin":true}}'],
  ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}'],
  ['nested 10,000 deep', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
]
