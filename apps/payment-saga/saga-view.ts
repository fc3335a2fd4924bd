import type { RecordedEvent } from '#event-store'
import { toMoneyJson, type JsonObject } from '#kernel'
import { sumOf } from '#payment'
import { attentionsOf, hasEnded, statusOf, type ActionState, type SagaInstance, type SagaState } from '#saga'
import { amountsOf, partsOf, type OrderPayment } from './sagas/payment-data.js'

const time = (at_ms: number): string => new Date(at_ms).toISOString()

const actionView = ({
  kind,
  status,
  attempts,
  round,
  startedAt,
  endedAt,
  dueAt,
  runAt,
  unknown,
  slug,
  detail,
}: ActionState): JsonObject => ({
  kind,
  status,
  attempts,
  round,
  startedAt: time(startedAt),
  ...(endedAt === undefined ? {} : { endedAt: time(endedAt) }),
  ...(dueAt === undefined ? {} : { timerAt: time(dueAt) }),
  ...(runAt === undefined ? {} : { nextRunAt: time(runAt) }),
  ...(unknown === undefined ? {} : { lastUnknown: unknown }),
  ...(slug === undefined ? {} : { reason: slug }),
  ...(detail === undefined || detail === '' ? {} : { detail }),
})

/** Steps in the order in which they began, each with its compensation; `registered` is one that has not been needed. */
export const stepsView = ({ steps, undos, registered, phase }: SagaState): readonly JsonObject[] => {
  const names = [...new Set([...registered.filter((name) => !(name in steps)), ...Object.keys(steps)])]
  return names.map((name) => {
    const action = steps[name]
    const undo = undos[name]
    const waits = registered.includes(name) && phase === 'forward'
    return {
      step: name,
      ...(action ? actionView(action) : { kind: 'given', status: 'succeeded' }),
      ...(undo ? { compensation: actionView(undo) } : waits ? { compensation: { status: 'registered' } } : {}),
    }
  })
}

/** A saga as an operator sees it. Its data is not shown: it holds whom and what it is about. */
export const sagaView = (state: SagaState, version: number): JsonObject => ({
  sagaId: state.id,
  type: state.type,
  definition: state.definition,
  status: statusOf(state),
  correlationKey: state.correlationKey,
  ...(state.current.length === 0 ? {} : { step: state.current.join(', ') }),
  ...(state.failure ? { failure: { ...state.failure } } : {}),
  attention: attentionsOf(state).map(({ since, ...of }) => ({ ...of, since: time(since) })),
  pastPivot: state.pastPivot,
  ...(state.timerAt === undefined || hasEnded(state) ? {} : { timerAt: time(state.timerAt) }),
  steps: stepsView(state),
  startedAt: time(state.startedAt),
  updatedAt: time(state.updatedAt),
  version,
})

/** A saga in a list. */
export const instanceView = (row: SagaInstance): JsonObject => ({
  sagaId: row.id,
  type: row.type,
  definition: row.definition,
  status: row.status,
  correlationKey: row.correlationKey,
  ...(row.step === undefined ? {} : { step: row.step }),
  ...(row.waitingFor === undefined ? {} : { waitingFor: row.waitingFor }),
  startedAt: time(row.startedAt),
  updatedAt: time(row.updatedAt),
  version: row.version,
})

/** An order's payment, of the saga that makes it. */
export const paymentView = (state: SagaState, data: OrderPayment): JsonObject => {
  const { id } = state
  const { amount, authorised, captured, refunded } = amountsOf(data)
  return {
    paymentId: id,
    sagaId: id,
    status: statusOf(state),
    method: data.method,
    amount: { ...toMoneyJson(amount) },
    authorised: { ...toMoneyJson(authorised) },
    captured: { ...toMoneyJson(captured) },
    refunded: { ...toMoneyJson(refunded) },
    // Only while the customer has something to do.
    ...(data.next && statusOf(state) === 'WAITING' ? { next: { ...data.next } } : {}),
    steps: stepsView(state),
  }
}

/** What of a payment went back, or is on its way: in the order in which it was decided. */
export const refundsView = (paymentId: string, { orderId, refunds = {} }: OrderPayment): readonly JsonObject[] =>
  Object.entries(refunds).map(([refundId, { done, at, for: why, ...parts }]) => ({
    refundId,
    paymentId,
    orderId,
    amount: { ...toMoneyJson(sumOf(partsOf(parts))) },
    status: done ? 'COMPLETED' : 'PENDING',
    for: why,
    ...(at === '' ? {} : { at }),
  }))

/** Of an event, as they are written. */
const TEXTS = ['step', 'side', 'action', 'outcome', 'evidence'] as const
const TIMES = ['dueAt', 'runAt', 'timerAt'] as const

/** An event of a saga's. Only what an operator needs: bodies and learned data stay in the stream. */
export const timelineView = ({ type, data, metadata, recordedAt }: RecordedEvent): JsonObject => {
  const detail = data['detail'] ?? data['why'] ?? data['reason'] ?? data['name']
  const texts = TEXTS.flatMap((name) => (typeof data[name] === 'string' ? [[name, data[name]]] : []))
  const times = TIMES.flatMap((name) => (typeof data[name] === 'number' ? [[name, new Date(data[name]).toISOString()]] : []))
  return {
    at: new Date(recordedAt).toISOString(),
    type,
    by: metadata.actor,
    ...(Object.fromEntries([...texts, ...times]) as JsonObject),
    ...(typeof detail === 'string' && detail !== '' ? { detail } : {}),
  }
}
