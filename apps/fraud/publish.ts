import { AlertDecided } from '#contracts'
import type { Publisher, RecordedEvent } from '#event-store'
import { isAlertEvent } from './alerts/alert-stream.js'

/** What others learn of an alert. That it was raised they know from the command's answer and `TransactionScored`. */
export const publish: Publisher = (recorded) => {
  const event: Pick<RecordedEvent, 'type' | 'data'> = recorded
  if (!isAlertEvent(event) || event.type !== 'AlertDecided') return []
  const { alertId, orderId, decision, by, at } = event.data
  const { correlationId, traceparent } = recorded.metadata
  const context = { correlationId, causationId: recorded.metadata.commandId, ...(traceparent === undefined ? {} : { traceparent }) }
  return [AlertDecided.message(orderId, { alertId, orderId, version: recorded.version, decision, by, at }, context)]
}
