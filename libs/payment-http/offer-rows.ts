import { paise } from '#kernel'
import { COD_ROWS, PAYMENT_PLANS, type CodRow, type PlanRow } from '#payment'
import { parseJsonVariable } from '#platform'
import Type from 'typebox'

const text = (max: number) => Type.String({ minLength: 1, maxLength: max })
const Paise = Type.String({ pattern: '^(0|[1-9][0-9]{0,15})$' })
const closed = { additionalProperties: false }
const effective = {
  effectiveFrom: Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' }),
  source: text(500),
}
const many = { minItems: 1, maxItems: 1_000 }

const pincodes = Type.Array(Type.String({ pattern: '^[1-9][0-9]{0,5}$' }), { minItems: 1, maxItems: 20_000 })
const cod = Type.Array(
  Type.Object({ ...effective, most: Paise, only: Type.Optional(pincodes), except: Type.Optional(pincodes) }, closed),
  many,
)

const told = Type.Record(
  Type.String({ pattern: '^[a-z_]{1,64}$' }),
  Type.Union([Type.String({ maxLength: 200 }), Type.Integer(), Type.Boolean()]),
)
const plans = Type.Array(
  Type.Object(
    {
      ...effective,
      plan: Type.String({ pattern: '^[A-Z0-9_]{2,32}$' }),
      kind: Type.Enum(['emi', 'pay-later']),
      goesAs: Type.Enum(['upi', 'card', 'netbanking']),
      least: Paise,
      most: Paise,
      ended: Type.Optional(Type.Literal(true)),
      tells: told,
    },
    closed,
  ),
  many,
)

/** The variables by which an app is given other rows than those in the code. */
export const codRowsConfig = Type.Optional(
  Type.String({
    maxLength: 1_000_000,
    description:
      'Rows of where and up to what amount cash on delivery is offered, as JSON, instead of those in the code: `[{"effectiveFrom": "2026-01-01", "most": "5000000", "only": ["56"], "except": ["560100"], "source"}]`; PIN codes by their first digits.',
  }),
)
export const paymentPlansConfig = Type.Optional(
  Type.String({
    maxLength: 1_000_000,
    description:
      'Rows of EMI and pay-later plans as JSON, instead of those in the code, the same for order-command and payment-saga: `[{"plan": "EMI_6", "kind": "emi", "goesAs": "card", "effectiveFrom": "2026-01-01", "least": "500000", "most": "50000000", "tells": {"method": "emi", "emi_duration": 6}, "source"}]`.',
  }),
)

/** Throws `InvalidConfig`, a line that names the variable. */
export const codRowsOf = ({ COD_ROWS: given }: { readonly COD_ROWS?: string }): readonly CodRow[] =>
  given === undefined ? COD_ROWS : parseJsonVariable('COD_ROWS', given, cod).map((row) => ({ ...row, most: paise(row.most) }))

/** Throws `InvalidConfig`, a line that names the variable. */
export const paymentPlansOf = ({ PAYMENT_PLANS: given }: { readonly PAYMENT_PLANS?: string }): readonly PlanRow[] =>
  given === undefined
    ? PAYMENT_PLANS
    : parseJsonVariable('PAYMENT_PLANS', given, plans).map((row) => ({ ...row, least: paise(row.least), most: paise(row.most) }))
