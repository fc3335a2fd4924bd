import { describe, expect, it } from '@jest/globals'
import { CONTRACTS, incompatibilities, schemaOf, type ReleasedContract, type Schema } from '#contracts'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Type from 'typebox'
import { Compile } from 'typebox/compile'

const FOLDER = join(import.meta.dirname, '../../libs/contracts/released')
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }

const current: readonly ReleasedContract[] = CONTRACTS.map((contract) => ({
  topic: contract.topic,
  type: contract.type,
  version: contract.version,
  schema: schemaOf(contract.schema),
  example: contract.example,
}))

const nameOf = ({ type, version }: ReleasedContract): string => `${type} v${version}`

/** What a release breaks of an earlier one. */
const broken = (released: readonly ReleasedContract[], now: readonly ReleasedContract[]): readonly string[] =>
  released.flatMap((was) => {
    const is = now.find((each) => nameOf(each) === nameOf(was))
    if (!is) return [`${nameOf(was)}: is gone; messages of it are still in logs`]
    const found = incompatibilities(was.schema, is.schema).map((line) => `${nameOf(was)}${line.startsWith('/') ? ' ' : ' /'}${line}`)
    if (was.topic !== is.topic) found.push(`${nameOf(was)}: was on ${was.topic}, is on ${is.topic}`)
    // What the rules say is also so: each side reads the other's example.
    if (!Compile(is.schema as never).Check(was.example)) found.push(`${nameOf(was)}: the released example is not read any more`)
    if (!Compile(was.schema as never).Check(is.example)) found.push(`${nameOf(was)}: the example of today is not read by what was released`)
    return found
  })

describe('contracts', () => {
  const text = `${JSON.stringify({ version, contracts: current }, undefined, 2)}\n`
  const file = join(FOLDER, `${version}.json`)
  if (process.env['BAHI_UPDATE_DOCS'] === 'true') writeFileSync(file, text)

  it('are recorded as this version has them: `npm run docs` writes them', () => {
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  it.each(readdirSync(FOLDER).sort())('can read and be read by what was released as %s', (name) => {
    const { contracts } = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as { contracts: readonly ReleasedContract[] }
    expect(contracts.length).toBeGreaterThan(20)
    expect(broken(contracts, current)).toEqual([])
  })
})

describe('the check of compatibility', () => {
  const order = Type.Object({
    orderId: Type.String({ minLength: 1 }),
    status: Type.Union([Type.Literal('OPEN'), Type.Literal('CLOSED')]),
    note: Type.Optional(Type.String()),
    lines: Type.Array(Type.Object({ sku: Type.String(), quantity: Type.Integer({ minimum: 1 }) })),
  })
  const { properties } = order
  const of = (schema: Parameters<typeof schemaOf>[0]) => incompatibilities(schemaOf(order), schemaOf(schema))

  it('lets optional fields come and go, and words change', () => {
    expect(of(Type.Object({ ...properties, gift: Type.Optional(Type.Boolean()) }, { description: 'An order.' }))).toEqual([])
    const { note: _, ...rest } = properties
    expect(of(Type.Object(rest))).toEqual([])
  })

  it.each<[string, Schema | object, RegExp]>([
    ['a new field that must be there', { ...properties, gift: Type.Boolean() }, /\/gift: messages out there do not have it/],
    [
      'a field that need not be there any more',
      { ...properties, orderId: Type.Optional(properties.orderId) },
      /\/orderId: readers out there need it/,
    ],
    ['a field that is gone', { status: properties.status, lines: properties.lines }, /\/orderId: readers out there need it/],
    ['another type', { ...properties, orderId: Type.Integer() }, /\/orderId: type was "string", is "integer"/],
    ['a looser bound', { ...properties, orderId: Type.String() }, /\/orderId: minLength was 1/],
    ['a tighter bound', { ...properties, note: Type.Optional(Type.String({ maxLength: 5 })) }, /\/note: maxLength/],
    [
      'a new choice',
      { ...properties, status: Type.Union([...properties.status.anyOf, Type.Literal('LOST')]) },
      /\/status: had 2 choices, has 3/,
    ],
    [
      'a change deep inside',
      { ...properties, lines: Type.Array(Type.Object({ sku: Type.String(), quantity: Type.Number() })) },
      /\/lines\/items\/quantity: type was "integer", is "number"/,
    ],
  ])('finds %s', (_, changed, line) => {
    expect(of(Type.Object(changed as typeof properties)).join('\n')).toMatch(line)
  })

  it('finds a contract that is gone, or on another topic', () => {
    const [first, ...others] = current
    if (!first) throw new Error('no contracts')
    expect(broken([first], others)).toEqual([expect.stringContaining('is gone')])
    expect(broken([first], [{ ...first, topic: 'elsewhere' }])).toEqual([expect.stringContaining('is on elsewhere')])
    expect(broken([first], [{ ...first, version: 2 }, first])).toEqual([])
  })
})
