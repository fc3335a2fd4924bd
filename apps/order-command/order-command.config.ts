import { MAX_PAISE } from '#kernel'
import { GST_RATES, type GstRateRow, STATE_CODES } from '#order'
import { codRowsConfig, paymentPlansConfig } from '#payment-http'
import { baseConfig, InvalidConfig, parseJsonVariable, personalDataConfig } from '#platform'
import Type, { type Static } from 'typebox'

export const orderCommandConfig = Type.Object({
  ...baseConfig,
  ...personalDataConfig,
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3001, description: 'Where it listens; 0 takes any free port.' }),
  DATABASE_SCHEMA: Type.String({
    pattern: '^[a-z_][a-z0-9_]{0,62}$',
    default: 'order_command',
    description: "The schema of the app's tables.",
  }),
  DATABASE_CONNECTIONS: Type.Integer({
    minimum: 2,
    maximum: 100,
    default: 8,
    description: `Connections of consumers and reads; the event store's batches have their own.`,
  }),
  SELLER_STATE: Type.Enum([...STATE_CODES], {
    default: 'KA',
    description: 'Where the seller is registered for GST, in ISO 3166-2:IN letters: decides between CGST + SGST and IGST.',
  }),
  SHIPPING_FEE_PAISE: Type.String({
    pattern: '^(0|[1-9][0-9]{0,14})$',
    default: '0',
    description: 'What shipping an order costs, in paise.',
  }),
  COD_ROWS: codRowsConfig,
  PAYMENT_PLANS: paymentPlansConfig,
  GST_RATES: Type.Optional(
    Type.String({
      maxLength: 100_000,
      description:
        'Rows of GST rates as JSON, instead of those in the code: `[{"effectiveFrom": "2025-09-22", "rates": [0, 5, 18, 40], "source"}]`.',
    }),
  ),
})
export type OrderCommandConfig = Static<typeof orderCommandConfig>

const rows = Type.Array(
  Type.Object(
    {
      effectiveFrom: Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' }),
      rates: Type.Array(Type.Integer({ minimum: 0, maximum: 100 }), { minItems: 1, maxItems: 100 }),
      source: Type.String({ minLength: 1, maxLength: 500 }),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: 1_000 },
)

/** Throws `InvalidConfig`, a line that names the variable. */
export const gstRateRows = ({ GST_RATES: text }: Pick<OrderCommandConfig, 'GST_RATES'>): readonly GstRateRow[] => {
  return text === undefined ? GST_RATES : parseJsonVariable('GST_RATES', text, rows)
}

/** Paise; throws `InvalidConfig`. */
export const shippingFee = ({ SHIPPING_FEE_PAISE }: Pick<OrderCommandConfig, 'SHIPPING_FEE_PAISE'>): bigint => {
  const fee = BigInt(SHIPPING_FEE_PAISE)
  if (fee > MAX_PAISE) throw new InvalidConfig(`SHIPPING_FEE_PAISE: must be at most ${MAX_PAISE}`)
  return fee
}
