import { ProviderPaymentChanged } from '#contracts'
import { paise, ZERO, type IncomingMessage } from '#kernel'
import { noEffect, type Effect } from '#messaging'
import { asPg } from '#postgres'

const BOOK = `
INSERT INTO provider_movements (payment_id, kind, total, order_id, at)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[])
ON CONFLICT DO NOTHING`

/** Our side of a reconciliation: each sum that the sagas told of a payment at the provider, with when it was reached, once. */
export const bookProviderMovements = async (messages: readonly IncomingMessage[]): Promise<Effect> => {
  const rows = messages
    .filter(({ type }) => type === ProviderPaymentChanged.type)
    .map(({ data }) => ProviderPaymentChanged.parse(data))
    .flatMap(({ providerPaymentId, orderId, at, captured, refunded }) => [
      { paymentId: providerPaymentId, orderId, at, kind: 'capture', total: paise(captured) },
      { paymentId: providerPaymentId, orderId, at, kind: 'refund', total: paise(refunded) },
    ])
    .filter(({ total }) => total > ZERO)
  if (rows.length === 0) return noEffect
  const values = [
    rows.map(({ paymentId }) => paymentId),
    rows.map(({ kind }) => kind),
    rows.map(({ total }) => total),
    rows.map(({ orderId }) => orderId),
    rows.map(({ at }) => at),
  ]
  return async (tx) => asPg(tx).send({ name: 'provider-movements-book', text: BOOK, values })
}
