import Type, { type Static } from 'typebox'

/** The environment of the provider sandbox. It is for development and tests: it moves no money. */
export const providerSandboxConfig = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 3006, description: 'Where it listens; 0 takes any free port.' }),
  DATABASE_URL: Type.String({ minLength: 1, description: "The app's own database." }),
  DATABASE_SCHEMA: Type.String({ minLength: 1, default: 'provider_sandbox', description: "The schema of the app's tables." }),
  PROVIDER_API_KEY: Type.String({ minLength: 16, description: 'What a merchant sends as `X-Api-Key`.' }),
  WEBHOOK_URL: Type.String({ pattern: '^https?://', description: 'Where webhooks go.' }),
  PROVIDER_WEBHOOK_SECRET: Type.String({ minLength: 16, description: 'Signs webhooks.' }),
  UPI_WINDOW_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 86_400,
    default: 300,
    description: 'How long a UPI collect request may be approved; `late@upi` is paid some seconds after it.',
  }),
  PATH_PREFIX: Type.String({
    pattern: '^[a-z0-9/-]*$',
    default: '',
    description: 'Put before every path: `provider-sandbox` where it shares a port with others.',
  }),
  PUBLIC_URL: Type.String({
    pattern: '^https?://[^\\s/]+$',
    default: 'http://localhost:3006',
    description: "Where payers' browsers reach it, for its pages: scheme, host and port.",
  }),
  SANDBOX_SEED: Type.Integer({
    minimum: 0,
    default: 1,
    description: `Decides, with each payment's key, delays and which webhooks are repeated or late.`,
  }),
  WEBHOOK_DUPLICATE_RATE: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0.1,
    description: 'The share of webhooks that are delivered twice.',
  }),
  WEBHOOK_OUT_OF_ORDER_RATE: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0.1,
    description: 'The share of webhooks that are held back, so that later ones overtake them.',
  }),
  LOST_WEBHOOK_DELAY_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 86_400,
    default: 900,
    description: 'How long the webhook of a payment whose answer is lost is held back.',
  }),
  HANG_MS: Type.Integer({
    minimum: 0,
    maximum: 60_000,
    default: 500,
    description: 'How long a call that gets no answer hangs before its connection is cut.',
  }),
})

export type ProviderSandboxConfig = Static<typeof providerSandboxConfig>
