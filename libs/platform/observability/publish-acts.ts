import { PrivilegedActDone } from '#contracts'
import { ACT_DONE, auditStream, type Publisher } from '#event-store'
import { masked } from '../observability/mask.js'

const PREFIX = `${auditStream.category}-`

/** Publishes acts, and leaves every other event to the app's own publisher. */
export const publishingActs =
  (publish: Publisher): Publisher =>
  (event) => {
    if (event.type !== ACT_DONE || !event.stream.startsWith(PREFIX)) return publish(event)
    const { actor, reason, commandId, correlationId, traceparent } = event.metadata
    const data = {
      ...event.data,
      actor,
      version: event.version,
      ...(reason === undefined ? {} : { reason: masked(reason).slice(0, 2_000) }),
      commandId,
      at: new Date(event.recordedAt).toISOString(),
    }
    const context = { correlationId, causationId: commandId, ...(traceparent === undefined ? {} : { traceparent }) }
    return [PrivilegedActDone.message(actor, PrivilegedActDone.parse(data), context)]
  }
