import type { Schema } from '#contracts'

/** The part of Avro 1.11 that contracts need. */
export type AvroSchema = string | readonly AvroSchema[] | AvroArray | AvroMap | AvroRecord
interface AvroArray {
  readonly type: 'array'
  readonly items: AvroSchema
}
interface AvroMap {
  readonly type: 'map'
  readonly values: AvroSchema
}
export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly namespace?: string
  readonly fields: readonly { readonly name: string; readonly type: AvroSchema; readonly default?: null }[]
}

const PRIMITIVE: Readonly<Record<string, string>> = { string: 'string', integer: 'long', number: 'double', boolean: 'boolean' }
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * A contract's shape as an Avro record, named by its topic, version and type: `orders.events.v1.OrderPlaced`. What may be absent is a union with
 * null whose default is null, so that an optional field that comes or goes is compatible both ways. Values are not narrowed beyond their type:
 * a word added to a choice would else be another schema. Throws where Avro cannot say it.
 */
export const avroSchemaOf = (topic: string, type: string, version: number, schema: Schema): AvroRecord => ({
  ...record(type, schema),
  namespace: `${topic.replaceAll(/[^A-Za-z0-9_.]/g, '_')}.v${version}`,
})

const record = (name: string, { properties = {}, required = [] }: Schema): AvroRecord => ({
  type: 'record',
  name: checked(name),
  fields: Object.entries(properties).map(([field, schema]) => {
    const type = avroOf(`${name}_${checked(field)}`, schema)
    return required.includes(field) ? { name: field, type } : { name: field, type: ['null', ...[type].flat()], default: null }
  }),
})

/** `path` names the record, where it is one. */
const avroOf = (path: string, schema: Schema): AvroSchema => {
  const { type = '', items, anyOf, patternProperties } = schema
  if (anyOf) return choice(path, anyOf)
  if (type === 'array' && items) return { type, items: avroOf(path, items) }
  if (type === 'object') {
    const [values] = Object.values(patternProperties ?? {})
    return values ? { type: 'map', values: avroOf(path, values) } : record(path, schema)
  }
  const primitive = PRIMITIVE[type]
  if (primitive === undefined) throw new Error(`${path}: Avro has no type for ${JSON.stringify(schema)}`)
  return primitive
}

const choice = (path: string, choices: readonly Schema[]): AvroSchema => {
  const [first = '', ...others] = new Set(choices.map((each) => avroOf(path, each)))
  // Of records, or of numbers, it could not be told which one is meant.
  if (others.length > 0 && [first, ...others].some((each) => typeof each !== 'string'))
    throw new Error(`${path}: a choice of more than plain values`)
  return others.length === 0 ? first : [first, ...others]
}

const checked = (name: string): string => {
  if (!NAME.test(name)) throw new Error(`${name}: not a name in Avro`)
  return name
}
