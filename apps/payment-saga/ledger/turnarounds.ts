import { ProviderPaymentChanged, type ProviderPaymentChangedData } from '#contracts'
import type { IncomingMessage } from '#kernel'
import { noEffect, type Effect } from '#messaging'
import { turnaroundOf, type TurnaroundRow } from '#payment'
import { asPg, type PgTransaction } from '#postgres'

/** When we first knew that money was taken. */
const FIRST_KNOWN = `
SELECT payment_id, min(at) AS at FROM provider_movements WHERE payment_id = ANY ($1::text[]) AND kind = 'capture' GROUP BY payment_id`

/** Money that is out is watched from the moment on that it was taken, once. */
const WATCH = `
INSERT INTO turnarounds (payment_id, order_id, due_date, compensation, next_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::bigint[], $5::timestamptz[])
ON CONFLICT (payment_id) DO NOTHING`

const SETTLE = `
UPDATE turnarounds t SET settled_at = s.at FROM unnest($1::uuid[], $2::timestamptz[]) AS s (payment_id, at)
WHERE t.payment_id = s.payment_id AND t.settled_at IS NULL`

type Change = ProviderPaymentChangedData

/**
 * Watches money that a provider took and that serves its payer nothing: of an order from when it turns back, of a load from the first, for it is a
 * wallet that is not credited. Applied behind `bookProviderMovements`, which keeps when we knew of it.
 */
export const watchTurnarounds =
  (rows: readonly TurnaroundRow[]) =>
  async (messages: readonly IncomingMessage[]): Promise<Effect> => {
    const changes = messages
      .filter(({ type }) => type === ProviderPaymentChanged.type)
      .map(({ data }) => ProviderPaymentChanged.parse(data))
    const out = changes.filter(isOut)
    const settled = new Map<string, string>()
    for (const change of changes) if (isSettled(change) && !settled.has(change.sagaId)) settled.set(change.sagaId, change.at)
    if (out.length === 0 && settled.size === 0) return noEffect
    return async (transaction) => {
      const tx = asPg(transaction)
      if (out.length > 0) await watch(tx, out, rows)
      if (settled.size > 0) tx.send({ name: 'turnaround-settle', text: SETTLE, values: [[...settled.keys()], [...settled.values()]] })
    }
  }

/** Also what is back already by the time that we hear of it: it may be back late. */
const isOut = ({ purpose, use }: Change): boolean => use === 'undone' || (use === 'open' && purpose === 'load')

const isSettled = ({ captured, refunded, purpose, use }: Change): boolean => refunded === captured || (use === 'done' && purpose === 'load')

const watch = async (tx: PgTransaction, changes: readonly Change[], rows: readonly TurnaroundRow[]): Promise<void> => {
  const ids = [...new Set(changes.map(({ providerPaymentId }) => providerPaymentId))]
  const known = await tx.query<{ payment_id: string; at: Date }>({ name: 'turnaround-known', text: FIRST_KNOWN, values: [ids] })
  const knownAt = new Map(known.rows.map(({ payment_id, at }) => [payment_id, at.getTime()]))
  const due = new Map(
    changes.flatMap((change) => {
      const { sagaId, orderId, providerPaymentId, purpose, method, paidAt, at } = change
      const heardAt = knownAt.get(providerPaymentId) ?? Date.parse(at)
      // It was paid when the provider says, but not after we knew of it: a clock that goes wrong there costs the customer nothing.
      const debitedAt = Math.min(paidAt === undefined ? heardAt : Date.parse(paidAt), heardAt)
      const ruledBy = purpose === 'load' ? 'wallet' : method
      const turnaround = ruledBy === undefined ? undefined : turnaroundOf(ruledBy, debitedAt, rows)
      return turnaround ? [[sagaId, { sagaId, orderId, ...turnaround }] as const] : []
    }),
  )
  if (due.size === 0) return
  const all = [...due.values()]
  const values = [
    all.map(({ sagaId }) => sagaId),
    all.map(({ orderId }) => orderId),
    all.map(({ dueDate }) => dueDate),
    all.map(({ compensation }) => compensation),
    all.map(({ lateAt }) => new Date(lateAt).toISOString()),
  ]
  tx.send({ name: 'turnaround-watch', text: WATCH, values })
}
