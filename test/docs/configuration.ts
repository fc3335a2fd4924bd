import { baseConfig } from '#platform'
import { fraudConfig } from '../../apps/fraud/fraud.config.js'
import { orderCommandConfig } from '../../apps/order-command/order-command.config.js'
import { orderQueryConfig } from '../../apps/order-query/order-query.config.js'
import { paymentSagaConfig } from '../../apps/payment-saga/payment-saga.config.js'
import { providerSandboxConfig } from '../../apps/provider-sandbox/sandbox.config.js'
import { walletConfig } from '../../apps/wallet/wallet.config.js'
import { readText } from './embedded.js'

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
}
interface Schema {
  readonly required?: readonly string[]
  readonly properties: Readonly<Record<string, Property>>
}

const APPS: Readonly<Record<string, { readonly schema: object; readonly source: string }>> = {
  'order-command': { schema: orderCommandConfig, source: 'apps/order-command/order-command.config.ts' },
  'order-query': { schema: orderQueryConfig, source: 'apps/order-query/order-query.config.ts' },
  wallet: { schema: walletConfig, source: 'apps/wallet/wallet.config.ts' },
  'payment-saga': { schema: paymentSagaConfig, source: 'apps/payment-saga/payment-saga.config.ts' },
  fraud: { schema: fraudConfig, source: 'apps/fraud/fraud.config.ts' },
  'provider-sandbox': { schema: providerSandboxConfig, source: 'apps/provider-sandbox/sandbox.config.ts' },
}
const BASE_SOURCE = 'libs/platform/config.ts'

/** Where the source leaves a variable to its name. */
const SAID_BY_NAME: Readonly<Record<string, string>> = {
  NODE_ENV: 'What the deployment is; `production` refuses what only development may do.',
  PORT: 'Where it listens; 0 takes any free port.',
  DATABASE_URL: "The app's own database.",
  DATABASE_SCHEMA: "The schema of the app's tables.",
  DATABASE_CONNECTIONS: 'PostgreSQL connections of this process.',
  LOG_DATABASE_URL: "The log's database where `LOG` is `postgres`; else `DATABASE_URL`.",
  REDIS_URL: 'Shares rate limits between replicas; without it each counts for itself.',
  JWKS_URL: 'Where the keys of the token issuer are.',
  JWT_ISSUER: 'Whose tokens are taken: their `iss`.',
  JWT_AUDIENCE: 'For whom tokens must be: their `aud`.',
  RATE_LIMIT_PER_SECOND: 'Requests a second that a caller may make on average.',
  RATE_LIMIT_BURST: 'Requests that a caller may make at once.',
  LOG_LEVEL: 'The least level of log lines that are written.',
}

const plain = (schema: object): Schema => JSON.parse(JSON.stringify(schema)) as Schema

/** The doc comment before `NAME:` in a configuration's source. */
const commentIn = (source: string, name: string): string | undefined => {
  const [, comment] = new RegExp(`/\\*\\*((?:(?!\\*/)[^])*?)\\*/\\s*${name}:`).exec(readText(source)) ?? []
  return comment
    ?.split('\n')
    .map((line) => line.replace(/^\s*\*?\s?/, '').trim())
    .filter(Boolean)
    .join(' ')
}

const meaning = (source: string, name: string): string => {
  const text = commentIn(source, name) ?? SAID_BY_NAME[name] ?? commentIn(BASE_SOURCE, name)
  if (text === undefined) throw new Error(`${source}: ${name} needs a comment that says what it is`)
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

const row = (schema: Schema, source: string, name: string): string =>
  `| \`${name}\` | ${without(schema, name)} | ${bounds(schema.properties[name] ?? {})} | ${meaning(source, name)} |`

const HEAD = '| variable | unless set | values | meaning |\n|---|---|---|---|'

/** What every app reads, then what each app reads besides, from the schemas that the apps themselves check their environment by. */
export const configurationTables = (): string => {
  const shared = Object.keys(baseConfig)
  const base = plain(orderQueryConfig)
  const own = new Set(['PORT', 'DATABASE_SCHEMA'])
  const everywhere = shared.filter((name) => !own.has(name))
  const tables = [`### Every app\n\n${HEAD}\n${everywhere.map((name) => row(base, BASE_SOURCE, name)).join('\n')}`]
  for (const [app, { schema, source }] of Object.entries(APPS)) {
    const whole = plain(schema)
    const inherits = shared.every((name) => name in whole.properties)
    const names = Object.keys(whole.properties).filter((name) => !inherits || own.has(name) || !shared.includes(name))
    const note = inherits ? '' : ' (it reads nothing but this)'
    tables.push(`### ${app}${note}\n\n${HEAD}\n${names.map((name) => row(whole, source, name)).join('\n')}`)
  }
  return tables.join('\n\n')
}
