import type { JsonObject } from '#kernel'
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { ProviderWebhooks } from '../../webhooks/provider-webhooks.js'
import { Event, Foreign, keyNoted, Payment, type RazorpayPayment } from './wire.js'

/**
 * Razorpay signs the raw body alone: hex HMAC-SHA256 under the webhook's secret. No time is signed, and `x-razorpay-event-id` is not either, so
 * an event is known by its body: the same bytes again have no second effect, however old they are or whatever id they come with.
 */
export const razorpayWebhooks = (secret: string): ProviderWebhooks => ({
  signatureHeader: 'x-razorpay-signature',
  isSigned: (body, signature) => {
    if (signature === undefined || !/^[0-9a-f]{64}$/.test(signature)) return false
    return timingSafeEqual(createHmac('sha256', secret).update(body).digest(), Buffer.from(signature, 'hex'))
  },
  read: (text) => {
    const event = parse(text)
    if (!event) return undefined
    const eventId = createHash('sha256').update(text).digest('hex')
    const payment = event.payload.payment?.entity
    if (payment !== undefined && !Payment.Check(payment))
      return { eventId, unread: Foreign.Check(payment) ? 'a payment in another currency' : 'a payment that is not as documented' }
    const key = keyNoted(payment?.notes)
    const books = payment && booksOf(event.event, payment)
    return { eventId, ...(key !== undefined && books ? { told: { key, books } } : {}) }
  },
})

const parse = (text: string) => {
  try {
    const value: unknown = JSON.parse(text)
    return Event.Check(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** By the event's name and not by the payment's status: events may come in any order, and each tells what happened then. */
const booksOf = (event: string, { id, amount, created_at }: RazorpayPayment): JsonObject | undefined => {
  const paid = created_at === undefined ? {} : { paidAt: new Date(created_at * 1_000).toISOString() }
  const told = { providerPaymentId: id, authorised: amount.toString(), ...paid }
  switch (event) {
    case 'payment.authorized':
      return { ...told, status: 'authorised' }
    case 'payment.captured':
      return { ...told, status: 'captured', captured: amount.toString() }
    case 'payment.failed':
      return { providerPaymentId: id, status: 'declined' }
    default:
      return undefined
  }
}
