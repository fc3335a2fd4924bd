import type { TObject } from 'typebox'

/** What of a JSON schema says which values are allowed. */
interface Allowed {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly default?: unknown
  readonly description?: string
}

const WIDTH = 28

/** The environment variables of a schema, for `--help`: what each is, whether it must be set, and its default. Never a value of this process. */
export const environmentText = (schema: TObject): string => {
  // What env-schema reads of it, too: plain JSON.
  const { properties, required = [] } = JSON.parse(JSON.stringify(schema)) as {
    readonly properties: Readonly<Record<string, Allowed>>
    readonly required?: readonly string[]
  }
  const lines = Object.entries(properties).map(([name, allowed]) => {
    const use = 'default' in allowed ? defaultOf(allowed) : required.includes(name) ? 'must be set' : 'may be left out'
    const facts = [valuesOf(allowed), use].filter((fact) => fact !== '').join('; ')
    return [`  ${name.padEnd(WIDTH)}${facts}`, ...(allowed.description ? [`  ${' '.repeat(WIDTH)}${allowed.description}`] : [])].join('\n')
  })
  return ['Environment:', ...lines].join('\n')
}

const defaultOf = ({ default: value }: Allowed): string => (value === '' ? 'empty unless set' : `default ${String(value)}`)

const valuesOf = ({ type, enum: values, minimum, maximum, minLength }: Allowed): string => {
  if (values)
    return values.length <= 8
      ? values.map(String).join(' | ')
      : `one of ${values.length} codes, ${values.slice(0, 3).map(String).join(', ')} ...`
  if (type === 'boolean') return 'true | false'
  if (type === 'integer' || type === 'number') return minimum === undefined ? type : `${minimum} to ${maximum ?? '...'}`
  return minLength !== undefined && minLength > 1 ? `at least ${minLength} characters` : ''
}
