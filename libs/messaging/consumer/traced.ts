import type { IncomingMessage } from '#kernel'
import { readTrace, withTrace, type Tracing } from '#tracing'

/** Of a batch's links; a larger batch is still one span. */
const MOST_LINKS = 128

export interface TracedBatch {
  /** As the handler sees them: each carries its own span, so that what is written and sent comes below it. */
  readonly messages: readonly IncomingMessage[]
  /** When the effect is committed, or failed. */
  end(error?: unknown): void
}

/**
 * A span for each message, whose parent is the span that published it, and one for the batch in a trace of its own, linked to each: what a
 * batch does for many orders is nobody's alone. A message that comes again, put aside or redriven, is another span under the same parent.
 */
export const traceBatch = (tracing: Tracing | undefined, group: string, messages: readonly IncomingMessage[]): TracedBatch => {
  const [first] = messages
  if (!tracing || !first) return { messages, end: () => undefined }
  const attributes = { 'messaging.system': 'bahi', 'messaging.consumer.group.name': group, 'messaging.destination.name': first.topic }
  const batch = tracing.start(`process batch of ${first.topic}`, {
    kind: 'consumer',
    links: messages.slice(0, MOST_LINKS).map(({ context }) => context.traceparent),
    attributes: { ...attributes, 'messaging.batch.message_count': messages.length },
  })
  const traced = messages.map((message) => {
    const { id, type, context } = message
    const span = tracing.start(`process ${type}`, {
      kind: 'consumer',
      parent: context.traceparent,
      links: [batch.trace.traceparent],
      attributes: { ...attributes, 'messaging.message.id': id, 'bahi.correlation_id': context.correlationId },
    })
    return { span, message: { ...message, context: { ...context, traceparent: span.trace.traceparent } } }
  })
  return {
    messages: traced.map(({ message }) => message),
    end: (error) => {
      for (const { span } of traced) span.end(error)
      batch.end(error)
    },
  }
}

/** Log lines of the handler name the trace, where all that it handles is of one. */
export const inTraceOf = <T>(messages: readonly IncomingMessage[], work: () => T): T => {
  const [first, ...others] = messages
  const trace = readTrace(first?.context.traceparent)
  return trace === undefined || others.length > 0 ? work() : withTrace(trace, work)
}
