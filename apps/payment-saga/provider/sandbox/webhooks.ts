import type { JsonObject } from '#kernel'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { ProviderWebhooks } from '../../webhooks/provider-webhooks.js'
import { Instant } from './provider.js'
import { isSigned } from './signature.js'

const event = Type.Object({
  eventId: Type.String({ minLength: 1, maxLength: 128 }),
  type: Type.String({ minLength: 1, maxLength: 64 }),
  paymentId: Type.String({ minLength: 1, maxLength: 128 }),
  /** The key that the payment was asked for with: it names the saga. */
  idempotencyKey: Type.String({ minLength: 1, maxLength: 255 }),
  amount: Type.String({ pattern: '^[0-9]{1,16}$' }),
  paidAt: Type.Optional(Instant),
})
const Event = Compile(event)

export const sandboxWebhooks = (secret: string): ProviderWebhooks => ({
  signatureHeader: 'x-sandbox-signature',
  isSigned: (body, signature, now) => isSigned(secret, body, signature, now),
  read: (text) => {
    const told = parse(text)
    return told && { eventId: told.eventId, told: { key: told.idempotencyKey, books: books(told) } }
  },
})

const parse = (text: string): Static<typeof event> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return Event.Check(value) ? value : undefined
  } catch {
    return undefined
  }
}

const books = ({ type, paymentId, amount, paidAt }: Static<typeof event>): JsonObject => {
  const paid = paidAt === undefined ? {} : { paidAt }
  switch (type) {
    case 'payment.authorised':
      return { providerPaymentId: paymentId, status: 'authorised', authorised: amount, ...paid }
    case 'payment.captured':
      return { providerPaymentId: paymentId, status: 'captured', authorised: amount, captured: amount, ...paid }
    default:
      return { providerPaymentId: paymentId, status: type.replace(/^payment\./, '') }
  }
}
