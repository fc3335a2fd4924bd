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
      // A sealed one stays with the act's own events: whoever may open it reads it there, by the command's id.
      ...(typeof reason === 'string' ? { reason: masked(reason).slice(0, 2_000) } : {}),
      commandId,
      at: new Date(event.recordedAt).toISOString(),
    }
    const context = { correlationId, causationId: commandId, ...(traceparent === undefined ? {} : { traceparent }) }
    return [PrivilegedActDone.message(actor, PrivilegedActDone.parse(data), context)]
  }
