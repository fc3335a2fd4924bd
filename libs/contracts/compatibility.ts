import type { TSchema } from 'typebox'

/** A contract as it was released: what its readers and writers out there go by. */
export interface ReleasedContract {
  readonly topic: string
  readonly type: string
  readonly version: number
  readonly schema: Schema
  readonly example: unknown
}

/** The part of JSON Schema that contracts use. */
export interface Schema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly [keyword: string]: unknown
}

/** Plain JSON, without what says nothing of values. */
export const schemaOf = (schema: TSchema): Schema => strip(JSON.parse(JSON.stringify(schema)) as Schema)

const SILENT = new Set(['title', 'description', '$id', '$comment', 'examples', 'default'])
const RECURSED = new Set(['properties', 'required', 'items', 'anyOf', 'patternProperties'])

const strip = (schema: Schema): Schema => {
  const kept = Object.entries(schema).filter(([keyword]) => !SILENT.has(keyword) || RECURSED.has(keyword))
  const { properties, items, anyOf, patternProperties } = schema
  return {
    ...Object.fromEntries(kept),
    ...(properties && { properties: mapped(properties) }),
    ...(items && { items: strip(items) }),
    ...(anyOf && { anyOf: anyOf.map(strip) }),
    ...(patternProperties && { patternProperties: mapped(patternProperties) }),
  }
}

const mapped = (schemas: Readonly<Record<string, Schema>>): Record<string, Schema> =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, strip(schema)]))

/**
 * What keeps either side from reading the other: FULL compatibility, as schema registries call it; checked against every released version it
 * is transitive. A reader passes over fields that it does not know, so optional fields may come and go. All else that a value may be is the
 * same on both sides: what one allows and the other does not, somebody out there refuses. Each line names a path.
 */
export const incompatibilities = (released: Schema, current: Schema, path = ''): readonly string[] => {
  const found = [...differentKeywords(released, current, path), ...differentFields(released, current, path)]
  for (const part of ['items'] as const) {
    const [before, now] = [released[part], current[part]]
    if (before && now) found.push(...incompatibilities(before, now, `${path}/${part}`))
  }
  found.push(...differentChoices(released.anyOf ?? [], current.anyOf ?? [], path))
  const [before, now] = [released.patternProperties ?? {}, current.patternProperties ?? {}]
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [before[name], now[name]]
    if (was && is) found.push(...incompatibilities(was, is, `${path}/*`))
    else found.push(`${path}: other names are allowed than before`)
  }
  return found
}

const differentKeywords = (released: Schema, current: Schema, path: string): readonly string[] =>
  [...new Set([...Object.keys(released), ...Object.keys(current)])]
    .filter((keyword) => !RECURSED.has(keyword) && JSON.stringify(released[keyword]) !== JSON.stringify(current[keyword]))
    .map((keyword) => `${path || '/'}: ${keyword} was ${JSON.stringify(released[keyword])}, is ${JSON.stringify(current[keyword])}`)

const differentFields = (released: Schema, current: Schema, path: string): readonly string[] => {
  const [before, now] = [released.properties ?? {}, current.properties ?? {}]
  const [required, requires] = [new Set(released.required), new Set(current.required)]
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((name) => {
    const at = `${path}/${name}`
    const [was, is] = [before[name], now[name]]
    if (required.has(name) && !requires.has(name)) return [`${at}: readers out there need it`]
    if (!required.has(name) && requires.has(name)) return [`${at}: messages out there do not have it`]
    return was && is ? incompatibilities(was, is, at) : []
  })
}

/** In order: a contract that only sorts its choices anew is not worth telling from one that changes them. */
const differentChoices = (before: readonly Schema[], now: readonly Schema[], path: string): readonly string[] => {
  if (before.length !== now.length) return [`${path || '/'}: had ${before.length} choices, has ${now.length}`]
  return before.flatMap((was, index) => incompatibilities(was, now[index] ?? {}, `${path}/anyOf/${index}`))
}
