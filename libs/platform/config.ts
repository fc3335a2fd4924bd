import { tlsFault } from '#postgres'
import { tracingConfig } from '#tracing'
import envSchema from 'env-schema'
import Type, { type Static, type TObject, type TProperties, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Region, REGION_REFUSED } from './region.js'

const Url = (schemes: string, description: string) => Type.String({ pattern: `^(${schemes})://[^\\s]+$`, description })

/** What every app is told. Spread it into the app's own schema. */
export const baseConfig = {
  NODE_ENV: Type.Enum(['development', 'test', 'production'], {
    default: 'development',
    description: 'What the process is for; `production` refuses the development issuer.',
  }),
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3000, description: 'Where it listens; 0 takes any free port.' }),
  DATABASE_URL: Url('postgres|postgresql', `postgres://user:password@host:port/database: the app's own.`),
  DATABASE_SCHEMA: Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$', description: "The schema of the app's tables." }),
  REGION: Region,
  LOG: Type.Enum(['postgres', 'kafka'], { default: 'postgres', description: `The log's transport.` }),
  LOG_DATABASE_URL: Type.Optional(Url('postgres|postgresql', 'Where the log is, with LOG=postgres; DATABASE_URL unless given.')),
  KAFKA_BROKERS: Type.Optional(
    Type.String({ pattern: '^[^\\s,:]+:[0-9]+(,[^\\s,:]+:[0-9]+)*$', description: '`host:port`, separated by commas.' }),
  ),
  KAFKA_CLIENT: Type.Optional(
    Type.Enum(['kafkajs', 'platformatic'], { description: 'Which library speaks with the brokers; platformatic unless given.' }),
  ),
  KAFKA_TLS: Type.Optional(
    Type.Boolean({ description: 'Speaks TLS with the brokers, and only with those whose certificate is trusted and names their host.' }),
  ),
  KAFKA_CA_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 4_096,
      description: "The certificates that are trusted with KAFKA_TLS, a file in PEM; Node's own unless given.",
    }),
  ),
  KAFKA_SASL: Type.Optional(
    Type.Enum(['scram-sha-256', 'scram-sha-512'], { description: 'How KAFKA_USERNAME is authenticated; scram-sha-512 unless given.' }),
  ),
  KAFKA_USERNAME: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: 'As whom the brokers are asked; needs KAFKA_TLS. Nobody unless given.' }),
  ),
  KAFKA_PASSWORD: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024, description: "KAFKA_USERNAME's; a secret." })),
  REDIS_URL: Type.Optional(
    Url(
      'redis|rediss',
      'Where replicas count requests together, and order-query keeps products and orders that are read; without it each counts for itself and asks its database.',
    ),
  ),
  SCHEMA_REGISTRY_URL: Type.Optional(
    Url(
      'http|https',
      'With LOG=kafka: messages between apps are Avro, by schemas of the registry that is there (`https://user:password@host`). JSON unless given.',
    ),
  ),
  JWKS_URL: Url('http|https', 'Where the public keys of the token issuer are.'),
  JWT_ISSUER: Type.String({ minLength: 1, maxLength: 512, description: 'What `iss` of a token must be.' }),
  JWT_AUDIENCE: Type.String({ minLength: 1, maxLength: 512, default: 'bahi', description: 'What `aud` of a token must hold.' }),
  DEV_ISSUER: Type.Boolean({ default: false, description: 'The development issuer gives a token to whoever asks. Never in production.' }),
  MASTER_KEY: Type.String({
    pattern: '^[A-Za-z0-9+/_-]{43}=?$',
    description: 'Wraps the data keys of persons: 32 bytes, base64 or base64url.',
  }),
  FRAUD_HASH_KEY: Type.String({
    minLength: 32,
    maxLength: 512,
    description: 'Keys the hashes by which fraud recognises addresses and devices.',
  }),
  RATE_LIMIT_PER_SECOND: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 500,
    description: 'Requests of one caller that are allowed again each second.',
  }),
  RATE_LIMIT_BURST: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 1_000,
    description: 'Requests of one caller that are allowed at once.',
  }),
  TRUST_PROXY: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Za-z.:/]{1,64}(,[0-9A-Za-z.:/]{1,64}){0,31}$',
      description:
        'Proxies that are believed when they say a caller’s address (`X-Forwarded-For`): addresses, networks, or `loopback`, `linklocal`, `uniquelocal`. None without it.',
    }),
  ),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    description: 'The least level of log lines that are written.',
  }),
  ...tracingConfig,
} satisfies TProperties

/** What the apps are told besides that make or read what is sealed under the keys of persons. */
export const personalDataConfig = {
  KEYS_DATABASE_URL: Url('postgres|postgresql', 'Where the keys of persons are, in the schema `keys`: one place for all apps.'),
  MASTER_KEYS_BEFORE: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9+/_-]{43}=?(,[A-Za-z0-9+/_-]{43}=?){0,9}$',
      description: 'Older master keys, separated by commas, until `bahi persons rewrap` has wrapped everything with the new one.',
    }),
  ),
} satisfies TProperties

const PersonalDataConfigSchema = Type.Object(personalDataConfig)
export type PersonalDataConfig = Static<typeof PersonalDataConfigSchema>

const BaseConfigSchema = Type.Object(baseConfig)
export type BaseConfig = Static<typeof BaseConfigSchema>

/** One line that names the variable, never its value: values hold secrets. */
export class InvalidConfig extends Error {}

type Environment = Readonly<Record<string, string | undefined>>

/** As `readConfig`, but throws `InvalidConfig`. */
export const parseConfig = <P extends TProperties>(schema: TObject<P>, env: Environment): Static<TObject<P>> => {
  // An empty variable is as none: that is how Compose and Kubernetes write "unset".
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name in schema.properties && value !== undefined && value !== ''),
  )
  // env-schema adds to the schema that it is given, so it gets its own. JSON drops what only TypeBox reads.
  const copy = JSON.parse(JSON.stringify(schema)) as Record<string, unknown>
  try {
    const config = envSchema<Static<TObject<P>>>({ schema: copy, data: given, env: false })
    refuseDevIssuerInProduction(config)
    refuseUncheckedTls(config)
    return config
  } catch (error) {
    if (error instanceof InvalidConfig) throw error
    throw new InvalidConfig(describe(error))
  }
}

/** Reads an app's configuration once; a wrong value stops the process with exit code 1 and one line naming the variable. */
export const readConfig = <P extends TProperties>(schema: TObject<P>, env: Environment = process.env): Static<TObject<P>> => {
  try {
    return parseConfig(schema, env)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

/** What a variable holds as JSON, of this schema; else throws `InvalidConfig`. */
export const parseJsonVariable = <S extends TSchema>(name: string, text: string, schema: S): Static<S> => {
  const validator = Compile(schema)
  const value = parsedJson(name, text)
  if (validator.Check(value)) return value
  const [first] = validator.Errors(value)
  throw new InvalidConfig(`${name}: ${first?.instancePath || 'the whole'} ${first?.message ?? 'is invalid'}`)
}

const parsedJson = (name: string, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidConfig(`${name}: must be JSON`)
  }
}

/** Also called where the issuer is mounted, so that no other way of composing an app can get around it. */
export const refuseDevIssuerInProduction = (config: object): void => {
  const { DEV_ISSUER, NODE_ENV } = config as Partial<BaseConfig>
  if (DEV_ISSUER === true && NODE_ENV === 'production') {
    throw new InvalidConfig('DEV_ISSUER: the development issuer gives tokens to anyone and cannot be enabled with NODE_ENV=production')
  }
}

/** Every connection is held to it; here it is told before anything else, by the name of the variable. */
const refuseUncheckedTls = (config: object): void => {
  for (const [name, value] of Object.entries(config)) {
    if (!name.endsWith('DATABASE_URL') || typeof value !== 'string') continue
    const fault = tlsFault(value)
    if (fault) throw new InvalidConfig(`${name}: ${fault}`)
  }
}

interface SchemaError {
  readonly instancePath?: string
  readonly keyword?: string
  readonly message?: string
  readonly params?: { readonly missingProperty?: string; readonly allowedValues?: readonly unknown[] }
}

const describe = (error: unknown): string => {
  const [first] = (error as { errors?: readonly SchemaError[] }).errors ?? []
  if (!first) return 'configuration: cannot be read'
  if (first.keyword === 'required') return `${first.params?.missingProperty ?? 'configuration'}: must be set`
  if (first.instancePath === '/REGION') return `REGION: ${REGION_REFUSED}`
  const allowed = first.params?.allowedValues ? `: ${first.params.allowedValues.join(', ')}` : ''
  return `${first.instancePath?.slice(1) || 'configuration'}: ${first.message ?? 'is invalid'}${allowed}`
}
