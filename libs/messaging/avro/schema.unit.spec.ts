import { describe, expect, it } from '@jest/globals'
import avro from 'avsc'
import { CONTRACTS, schemaOf, type Schema } from '#contracts'
import { avroSchemaOf } from './schema.js'

const typeOf = (schema: object): avro.Type => avro.Type.forSchema(schema as avro.Schema)

describe('the Avro schema of a contract', () => {
  it.each(CONTRACTS.map((contract) => [`${contract.topic} ${contract.type} v${contract.version}`, contract] as const))(
    'takes the example of %s whole, and gives it back',
    (_, { topic, type, version, schema, example }) => {
      const avroType = typeOf(avroSchemaOf(topic, type, version, schemaOf(schema)))
      expect(avroType.isValid(example, { noUndeclaredFields: true })).toBe(true)
      const read: unknown = JSON.parse(
        JSON.stringify(avroType.fromBuffer(avroType.toBuffer(example)), (_, each: unknown) => each ?? undefined),
      )
      expect(read).toEqual(example)
    },
  )

  it('is compatible both ways where an optional field comes or goes, and not where a required one does', () => {
    const shape = (properties: Record<string, Schema>, required: string[]) =>
      typeOf(avroSchemaOf('t', 'Told', 1, { type: 'object', properties, required }))
    const text = { type: 'string' }
    const before = shape({ a: text }, ['a'])
    const optional = shape({ a: text, b: text }, ['a'])
    const required = shape({ a: text, b: text }, ['a', 'b'])
    expect(() => [before.createResolver(optional), optional.createResolver(before)]).not.toThrow()
    expect(() => required.createResolver(before)).toThrow()
  })

  it('is named by topic, version and type', () => {
    expect(avroSchemaOf('dead-letters', 'MessageParked', 2, { type: 'object' })).toEqual({
      type: 'record',
      name: 'MessageParked',
      namespace: 'dead_letters.v2',
      fields: [],
    })
  })

  it('is refused where Avro cannot say it', () => {
    const of = (field: Schema) => () => avroSchemaOf('t', 'Told', 1, { type: 'object', properties: { field }, required: ['field'] })
    expect(of({ anyOf: [{ type: 'object' }, { type: 'string' }] })).toThrow('a choice of more than plain values')
    expect(of({ type: 'null' })).toThrow('Avro has no type for')
    expect(() => avroSchemaOf('t', 'Told', 1, { type: 'object', properties: { 'a-b': { type: 'string' } } })).toThrow(
      'a-b: not a name in Avro',
    )
  })
})
