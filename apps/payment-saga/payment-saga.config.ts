import { COMMISSION_ROWS, type CommissionRow } from '#payment'
import { paymentPlansConfig } from '#payment-http'
import { baseConfig, parseJsonVariable, personalDataConfig } from '#platform'
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
  PROVIDER: Type.Enum(['sandbox', 'razorpay'], { default: 'sandbox', description: 'The payment provider.' }),
  PROVIDER_URL: Type.String({
    pattern: '^https?://[^\\s]+[^\\s/]$',
    description: "Where the provider answers, without a slash at the end: `https://api.razorpay.com` is Razorpay's.",
  }),
  PROVIDER_API_KEY: Type.String({
    minLength: 16,
    maxLength: 512,
    description: "What the provider knows us by: with Razorpay, the key's secret.",
  }),
  PROVIDER_KEY_ID: Type.Optional(
    Type.String({ pattern: '^rzp_(live|test)_[A-Za-z0-9]{4,64}$', description: "With Razorpay: the key's id. Needed there." }),
  ),
  PROVIDER_PAYER_EMAIL: Type.Optional(
    Type.String({
      pattern: '^[^\\s@]{1,64}@[^\\s@]{1,255}$',
      description: "With Razorpay: the shop's own address, told as the payer's, for no customer's leaves the platform. Needed there.",
    }),
  ),
  PROVIDER_PAYER_CONTACT: Type.Optional(
    Type.String({ pattern: '^\\+[1-9][0-9]{7,14}$', description: "With Razorpay: the shop's own number, likewise. Needed there." }),
  ),
  PROVIDER_WEBHOOK_SECRET: Type.String({ minLength: 16, maxLength: 512, description: `Signs the provider's webhooks.` }),
  PUBLIC_URL: Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s/]+$',
      description: "Where customers' browsers reach the platform: a bank's page sends them back there. Without it they stay at the bank's.",
    }),
  ),
  PAYMENT_RETURN_URL: Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s]+$',
      maxLength: 2_000,
      description: "The shop's page for who comes back from a bank; `{id}` in it stands for the order's id, or the load's.",
    }),
  ),
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
  PROVIDER_CONCURRENCY: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    default: 64,
    description: 'Calls to the provider at once; a quarter as many wait for a place.',
  }),
  PAYMENT_PLANS: paymentPlansConfig,
  COMMISSION_ROWS: Type.Optional(
    Type.String({
      maxLength: 100_000,
      description:
        'Rows of what is kept of a sale as JSON, instead of those in the code: `[{"effectiveFrom": "2025-09-22", "basisPoints": 200, "gstRate": 18, "source"}]`.',
    }),
  ),
  ACTIVITY_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 8_000,
    description: 'How long one run of an activity may take; it is then aborted, and its outcome unknown.',
  }),
})
export type PaymentSagaConfig = Static<typeof paymentSagaConfig>

const rows = Type.Array(
  Type.Object(
    {
      effectiveFrom: Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' }),
      basisPoints: Type.Integer({ minimum: 0, maximum: 5_000 }),
      gstRate: Type.Integer({ minimum: 0, maximum: 40 }),
      source: Type.String({ minLength: 1, maxLength: 500 }),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: 1_000 },
)

/** Throws `InvalidConfig`, a line that names the variable. */
export const commissionRows = ({ COMMISSION_ROWS: text }: Pick<PaymentSagaConfig, 'COMMISSION_ROWS'>): readonly CommissionRow[] =>
  text === undefined ? COMMISSION_ROWS : parseJsonVariable('COMMISSION_ROWS', text, rows)
