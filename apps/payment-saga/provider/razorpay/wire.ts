import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

/** What of Razorpay's answers is read. Amounts are paise as JSON integers; times are seconds since the epoch. */
const Id = Type.String({ pattern: '^[a-z]+_[A-Za-z0-9]{1,40}$' })
const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])
/** An empty collection of notes is a list. */
const Notes = Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Array(Type.Unknown())])

const payment = Type.Object({
  id: Id,
  amount: Amount,
  currency: Type.Literal('INR'),
  status: Type.Union([
    Type.Literal('created'),
    Type.Literal('authorized'),
    Type.Literal('captured'),
    Type.Literal('refunded'),
    Type.Literal('failed'),
  ]),
  captured: Type.Boolean(),
  amount_refunded: Type.Optional(Nullable(Amount)),
  error_reason: Type.Optional(Nullable(Type.String({ maxLength: 100 }))),
  /** When it was made: its payer's money moved then, or later. */
  created_at: Type.Optional(Type.Integer({ minimum: 0, maximum: 8_640_000_000_000 })),
  notes: Type.Optional(Notes),
})
export type RazorpayPayment = Static<typeof payment>
export const Payment = Compile(payment)

const order = Type.Object({
  id: Id,
  receipt: Nullable(Type.String({ maxLength: 40 })),
  created_at: Type.Integer(),
  payments: Type.Optional(Type.Object({ items: Type.Array(payment, { maxItems: 100 }) })),
})
export type RazorpayOrder = Static<typeof order>
export const Orders = Compile(Type.Object({ items: Type.Array(order, { maxItems: 100 }) }))

const refund = Type.Object({
  id: Id,
  payment_id: Id,
  amount: Amount,
  status: Type.Union([Type.Literal('pending'), Type.Literal('processed'), Type.Literal('failed')]),
})
export const Refund = Compile(refund)
export const Refunds = Compile(Type.Object({ items: Type.Array(refund, { maxItems: 100 }) }))

export const Created = {
  order: Compile(Type.Object({ id: Id })),
  payment: Compile(
    Type.Object({
      razorpay_payment_id: Id,
      next: Type.Optional(
        Type.Array(Type.Object({ action: Type.String({ maxLength: 64 }), url: Type.Optional(Type.String({ maxLength: 2_000 })) }), {
          maxItems: 20,
        }),
      ),
    }),
  ),
}

export const ErrorBody = Compile(
  Type.Object({
    error: Type.Object({ code: Type.String({ maxLength: 100 }), reason: Type.Optional(Nullable(Type.String({ maxLength: 100 }))) }),
  }),
)

/** A webhook: `payload.payment.entity` is the payment as it was then. Signed ones may hold what is none of ours: another currency. */
export const Event = Compile(
  Type.Object({
    entity: Type.Literal('event'),
    event: Type.String({ maxLength: 100 }),
    payload: Type.Object({ payment: Type.Optional(Type.Object({ entity: Type.Unknown() })) }),
    created_at: Type.Integer(),
  }),
)

/** That a payment is of another currency than ours. */
export const Foreign = Compile(Type.Object({ currency: Type.String({ pattern: '^(?!INR$)[A-Z]{3}$' }) }))

/** `fee` has the tax in it. */
const reconItem = Type.Object({
  entity_id: Id,
  type: Type.String({ maxLength: 64 }),
  amount: Amount,
  currency: Type.String({ maxLength: 3 }),
  fee: Type.Optional(Nullable(Amount)),
  tax: Type.Optional(Nullable(Amount)),
  payment_id: Type.Optional(Nullable(Id)),
  order_receipt: Type.Optional(Nullable(Type.String({ maxLength: 40 }))),
  notes: Type.Optional(Type.Unknown()),
})
export type ReconItem = Static<typeof reconItem>
export const ReconPage = Compile(Type.Object({ items: Type.Array(reconItem, { maxItems: 1_000 }) }))

/** Our idempotency key, as it was noted with what was asked for. */
export const keyNoted = (notes: unknown): string | undefined => {
  if (typeof notes !== 'object' || notes === null || !('idempotency_key' in notes)) return undefined
  return typeof notes.idempotency_key === 'string' && notes.idempotency_key.length <= 255 ? notes.idempotency_key : undefined
}
