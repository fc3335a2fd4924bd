import { baseConfig } from '#platform'
import { fraudConfig } from '../../apps/fraud/fraud.config.js'
import { frontConfig } from '../../apps/front/front.config.js'
import { orderCommandConfig } from '../../apps/order-command/order-command.config.js'
import { orderQueryConfig } from '../../apps/order-query/order-query.config.js'
import { paymentSagaConfig } from '../../apps/payment-saga/payment-saga.config.js'
import { providerSandboxConfig } from '../../apps/provider-sandbox/sandbox.config.js'
import { walletConfig } from '../../apps/wallet/wallet.config.js'

/** The part of JSON Schema that the configurations use. */
interface Property {
  readonly type?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly description?: string
}
interface Schema {
  readonly required?: readonly string[]
  readonly properties: Readonly<Record<string, Property>>
}

const APPS: Readonly<Record<string, object>> = {
  'order-command': orderCommandConfig,
  'order-query': orderQueryConfig,
  wallet: walletConfig,
  'payment-saga': paymentSagaConfig,
  fraud: fraudConfig,
  front: frontConfig,
  'provider-sandbox': providerSandboxConfig,
}
const plain = (schema: object): Schema => JSON.parse(JSON.stringify(schema)) as Schema

const meaning = (schema: Schema, name: string): string => {
  const text = schema.properties[name]?.description
  if (text === undefined) throw new Error(`${name} needs a description that says what it is`)
  return text.replaceAll('|', '\\|')
}

const bounds = (property: Property): string => {
  if (property.enum) return property.enum.join(', ')
  if (property.minimum !== undefined || property.maximum !== undefined)
    return `${property.minimum ?? ''} to ${property.maximum ?? ''}`.trim()
  if (property.minLength !== undefined && property.minLength > 1) return `at least ${property.minLength} characters`
  return property.type === 'boolean' ? 'true, false' : property.pattern ? `\`${property.pattern.replaceAll('|', '\\|')}\`` : 'text'
}

const without = (schema: Schema, name: string): string => {
  const value = schema.properties[name]?.default
  if (value !== undefined) return value === '' ? 'empty' : `\`${String(value)}\``
  return schema.required?.includes(name) ? '**required**' : 'none'
}

const row = (schema: Schema, name: string): string =>
  `| \`${name}\` | ${without(schema, name)} | ${bounds(schema.properties[name] ?? {})} | ${meaning(schema, name)} |`

const HEAD = '| variable | unless set | values | meaning |\n|---|---|---|---|'

/** What every app reads, then what each app reads besides, from the schemas that the apps themselves check their environment by. */
export const configurationTables = (): string => {
  const shared = Object.keys(baseConfig)
  const base = plain(orderQueryConfig)
  const own = new Set(['PORT', 'DATABASE_SCHEMA'])
  const everywhere = shared.filter((name) => !own.has(name))
  const tables = [`### Every app\n\n${HEAD}\n${everywhere.map((name) => row(base, name)).join('\n')}`]
  for (const [app, schema] of Object.entries(APPS)) {
    const whole = plain(schema)
    const inherits = shared.every((name) => name in whole.properties)
    const names = Object.keys(whole.properties).filter((name) => !inherits || own.has(name) || !shared.includes(name))
    const note = inherits ? '' : ' (it reads nothing but this)'
    tables.push(`### ${app}${note}\n\n${HEAD}\n${names.map((name) => row(whole, name)).join('\n')}`)
  }
  return tables.join('\n\n')
}
