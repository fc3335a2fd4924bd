import type { IncomingMessage } from '#kernel'
import { readTrace, withTrace, type OpenSpan, type Tracing } from '#tracing'
import { noEffect, type BatchHandler, type Effect } from '../log.js'

/** Of a batch's links; a larger batch is still one span. */
const MOST_LINKS = 128

/**
 * The handler with a span for each message, whose parent is the span that published it, and one for the batch in a trace of its own, linked to
 * each: what a batch does for many orders is nobody's alone. A message that comes again, put aside or redriven, is another span under the
 * same parent. Handlers see the message's span as its `traceparent`, so that what they write and send comes below it.
 */
export const traced =
  (tracing: Tracing, group: string, handler: BatchHandler): BatchHandler =>
  async (messages) => {
    const [first] = messages
    if (!first) return handler(messages)
    const attributes = { 'messaging.system': 'bahi', 'messaging.consumer.group.name': group, 'messaging.destination.name': first.topic }
    const batch = tracing.start(`process batch of ${first.topic}`, {
      kind: 'consumer',
      links: messages.slice(0, MOST_LINKS).map(({ context }) => context.traceparent),
      attributes: { ...attributes, 'messaging.batch.message_count': messages.length },
    })
    const spans = messages.map(({ id, type, context }) =>
      tracing.start(`process ${type}`, {
        kind: 'consumer',
        parent: context.traceparent,
        links: [batch.trace.traceparent],
        attributes: { ...attributes, 'messaging.message.id': id, 'bahi.correlation_id': context.correlationId },
      }),
    )
    const end = (error?: unknown): void => {
      for (const span of [...spans, batch]) span.end(error)
    }
    const carried = messages.map((message, at) => carrying(message, spans[at]))
    try {
      const effect = await inTraceOf(carried, () => handler(carried))
      if (effect !== noEffect) return ending(effect, end)
      end()
      return noEffect
    } catch (error) {
      end(error)
      throw error
    }
  }

/** What is still open when its transaction is not even begun is never sent: nothing happened. */
const ending =
  (effect: Effect, end: (error?: unknown) => void): Effect =>
  async (tx) => {
    try {
      await effect(tx)
      end()
    } catch (error) {
      end(error)
      throw error
    }
  }

const carrying = (message: IncomingMessage, span: OpenSpan | undefined): IncomingMessage =>
  span ? { ...message, context: { ...message.context, traceparent: span.trace.traceparent } } : message

/** Log lines of the handler name the trace, where all that it handles is of one. */
export const inTraceOf = <T>(messages: readonly IncomingMessage[], work: () => T): T => {
  const [first, ...others] = messages
  const trace = readTrace(first?.context.traceparent)
  return trace === undefined || others.length > 0 ? work() : withTrace(trace, work)
}
