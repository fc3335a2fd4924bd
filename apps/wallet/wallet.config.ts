import { baseConfig, parseJsonVariable, personalDataConfig } from '#platform'
import { DEFAULT_LIMITS, type LimitRow } from '#wallet'
import Type, { type Static } from 'typebox'

export const walletConfig = Type.Object({
  ...baseConfig,
  ...personalDataConfig,
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3003, description: 'Where it listens; 0 takes any free port.' }),
  DATABASE_SCHEMA: Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$', default: 'wallet', description: "The schema of the app's tables." }),
  DATABASE_CONNECTIONS: Type.Integer({ minimum: 2, maximum: 100, default: 8, description: 'Connections of the write path and the reads.' }),
  WALLET_LIMITS: Type.Optional(
    Type.String({
      maxLength: 100_000,
      description: 'Rows of limits as JSON, instead of those in the code: `[{"kyc", "rule", "from", "max", "source"}]`.',
    }),
  ),
  HOLD_EXPIRY_POLL_MS: Type.Integer({
    minimum: 10,
    maximum: 60_000,
    default: 1_000,
    description: 'How often, at the latest, holds that expired are looked for.',
  }),
})
export type WalletConfig = Static<typeof walletConfig>

const rows = Type.Array(
  Type.Object(
    {
      kyc: Type.Enum(['small', 'full']),
      rule: Type.Enum([
        'balance',
        'loads-per-month',
        'loads-per-year',
        'transfers-to-beneficiary-per-month',
        'transfers-to-others-per-month',
        'transfers-per-day',
        'transfers-in-first-24-hours',
        'cash-out-at-once',
        'cash-out-per-month',
      ]),
      from: Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' }),
      max: Type.Union([Type.String({ pattern: '^[0-9]{1,16}$' }), Type.Null()]),
      source: Type.String({ minLength: 1, maxLength: 500 }),
    },
    { additionalProperties: false },
  ),
  { maxItems: 1_000 },
)

/** Throws `InvalidConfig`, a line that names the variable. */
export const limitRows = ({ WALLET_LIMITS }: Pick<WalletConfig, 'WALLET_LIMITS'>): readonly LimitRow[] => {
  return WALLET_LIMITS === undefined ? DEFAULT_LIMITS : parseJsonVariable('WALLET_LIMITS', WALLET_LIMITS, rows)
}
