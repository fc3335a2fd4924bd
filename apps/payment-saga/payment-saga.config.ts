import { baseConfig, personalDataConfig } from '#platform'
import Type, { type Static } from 'typebox'

export const paymentSagaConfig = Type.Object({
  ...baseConfig,
  ...personalDataConfig,
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3004, description: 'Where it listens; 0 takes any free port.' }),
  DATABASE_SCHEMA: Type.String({
    pattern: '^[a-z_][a-z0-9_]{0,62}$',
    default: 'payment_saga',
    description: "The schema of the app's tables.",
  }),
  DATABASE_CONNECTIONS: Type.Integer({ minimum: 2, maximum: 100, default: 8, description: 'PostgreSQL connections of this process.' }),
  PROVIDER_URL: Type.String({ pattern: '^https?://[^\\s]+[^\\s/]$', description: 'The payment provider, without a slash at the end.' }),
  PROVIDER_API_KEY: Type.String({ minLength: 16, maxLength: 512, description: 'What the provider knows us by.' }),
  PROVIDER_WEBHOOK_SECRET: Type.String({ minLength: 16, maxLength: 512, description: `Signs the provider's webhooks.` }),
  UPI_WINDOW_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 86_400,
    default: 300,
    description: 'How long a payment at the provider may stay without an outcome: a UPI collect request expires then.',
  }),
  REVIEW_WAIT_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 30 * 86_400,
    default: 25 * 3_600,
    description: `How long an undecided review may take before an operator is called: longer than fraud's own limit, which declines it.`,
  }),
  PROVIDER_CONCURRENCY: Type.Integer({ minimum: 1, maximum: 1_000, default: 64, description: 'Provider calls at once.' }),
  ACTIVITY_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 8_000,
    description: 'How long one run of an activity may take; it is then aborted, and its outcome unknown.',
  }),
})
export type PaymentSagaConfig = Static<typeof paymentSagaConfig>
