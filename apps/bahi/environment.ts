import { LOG_SCHEMA } from './databases.js'
import type { Secrets } from './home.js'
import { SANDBOX_PREFIX } from '../front/router.js'

export interface Surroundings {
  /** Where the process listens: the provider's webhooks and the keys of tokens are fetched over real HTTP. */
  readonly baseUrl: string
  readonly secrets: Secrets
  databaseUrl(schema: string): string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What the app of this schema is told in the one process: what is set outside, except places and secrets. The log is PostgreSQL's. */
export const environmentOf = ({ baseUrl, secrets, databaseUrl, env }: Surroundings, schema: string): Surroundings['env'] => ({
  NODE_ENV: 'development',
  LOG_LEVEL: 'warn',
  UPI_WINDOW_SECONDS: '15',
  REGION: 'in-development',
  ...env,
  LOG: 'postgres',
  LOG_DATABASE_URL: databaseUrl(LOG_SCHEMA),
  DEV_ISSUER: 'true',
  JWT_ISSUER: 'bahi-development',
  JWT_AUDIENCE: 'bahi',
  JWKS_URL: `${baseUrl}/v1/dev/jwks`,
  MASTER_KEY: secrets.masterKey,
  FRAUD_HASH_KEY: secrets.fraudHashKey,
  PROVIDER_URL: `${baseUrl}/${SANDBOX_PREFIX}`,
  PROVIDER_API_KEY: secrets.providerApiKey,
  PROVIDER_WEBHOOK_SECRET: secrets.providerWebhookSecret,
  WEBHOOK_URL: `${baseUrl}/v1/webhooks/sandbox`,
  PATH_PREFIX: SANDBOX_PREFIX,
  PUBLIC_URL: baseUrl,
  DATABASE_URL: databaseUrl(schema),
  DATABASE_SCHEMA: schema,
  // The same database, where each role may do with the keys what its app does.
  KEYS_DATABASE_URL: databaseUrl(schema),
})
