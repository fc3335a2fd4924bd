import Type, { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { MAX_PAISE, paise, type Paise } from '#kernel'
import { Problem } from './problem.filter.js'

const Key = Type.String({ minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' })
/** Paise as a decimal string. */
const Amount = Type.String({ pattern: '^[1-9][0-9]{0,15}$' })

const opening = Type.Object(
  {
    idempotencyKey: Key,
    orderId: Type.String({ minLength: 1, maxLength: 128 }),
    amount: Amount,
    method: Type.Union([Type.Literal('upi'), Type.Literal('card'), Type.Literal('netbanking')]),
    instrument: Type.String({ minLength: 1, maxLength: 320 }),
    flow: Type.Optional(Type.Union([Type.Literal('collect'), Type.Literal('intent')])),
    plan: Type.Optional(Type.String({ pattern: '^[A-Z0-9_]{2,32}$' })),
    returnUrl: Type.Optional(Type.String({ maxLength: 2_000, pattern: '^https?://[^\\s]+$' })),
  },
  { additionalProperties: false },
)
const decision = Type.Object({ decision: Type.Union([Type.Literal('pay'), Type.Literal('decline')]) }, { additionalProperties: false })
const operation = Type.Object({ idempotencyKey: Key, amount: Type.Optional(Amount) }, { additionalProperties: false })
const voiding = Type.Object({ idempotencyKey: Key }, { additionalProperties: false })
const query = Type.Object({ idempotencyKey: Key }, { additionalProperties: false })

/** Checks what came in; a Problem 400 names each field that is wrong. */
const reader = <S extends TSchema>(schema: S): ((input: unknown) => Static<S>) => {
  const validator = Compile(schema)
  return (input) => {
    if (validator.Check(input)) return input
    const errors = validator
      .Errors(input)
      .slice(0, MOST_ERRORS)
      .flatMap((error) => {
        const missing = error.keyword === 'required' ? error.params.requiredProperties : []
        return missing.length > 0
          ? missing.map((name) => ({ pointer: `${error.instancePath}/${name}`, detail: 'is required' }))
          : [{ pointer: error.instancePath, detail: error.message }]
      })
    throw new Problem(400, 'invalid-request', 'the request is not valid', errors)
  }
}

const MOST_ERRORS = 20

export const readOpening = reader(opening)
export const readDecision = reader(decision)
export const readOperation = reader(operation)
export const readVoiding = reader(voiding)
export const readQuery = reader(query)

export const readAmount = (amount: string, pointer = '/amount'): Paise => {
  const value = paise(amount)
  if (value > MAX_PAISE) throw new Problem(400, 'invalid-request', 'the request is not valid', [{ pointer, detail: 'too large' }])
  return value
}
