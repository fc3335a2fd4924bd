import type { OutboxEntry, OutgoingMessage } from '#kernel'
import type { Tracing } from '#tracing'

export interface Publishing {
  /** The message as it is sent: it carries its own span. */
  sent(message: OutgoingMessage): OutgoingMessage
  end(error?: unknown): void
}

const untraced: Publishing = { sent: (message) => message, end: () => undefined }

/** A span for each message of a page, below what wrote it. A page that is sent again has new ones: who handles it hangs below the last. */
export const publishing = (tracing: Tracing | undefined, page: readonly OutboxEntry[]): Publishing => {
  if (!tracing) return untraced
  const spans = new Map(
    page
      .flatMap(({ messages }) => messages)
      .map((message) => {
        const attributes = { 'messaging.system': 'bahi', 'messaging.destination.name': message.topic }
        return [message, tracing.start(`publish ${message.type}`, { kind: 'producer', parent: message.context.traceparent, attributes })]
      }),
  )
  return {
    sent: (message) => {
      const traceparent = spans.get(message)?.trace.traceparent
      return traceparent === undefined ? message : { ...message, context: { ...message.context, traceparent } }
    },
    end: (error) => {
      for (const span of spans.values()) span.end(error)
    },
  }
}
