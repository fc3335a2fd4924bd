import type { Tracing } from '#tracing'
import type { Answered, Command } from '../store.js'

/** Executes commands with a span for each, whose parent is what asked; the events and what is published of them hang below it. */
export const traceCommands = async (
  tracing: Tracing | undefined,
  commands: readonly Command[],
  execute: (commands: readonly Command[]) => Promise<readonly Answered[]>,
): Promise<readonly Answered[]> => {
  if (!tracing) return execute(commands)
  const spans = commands.map(({ streams, metadata }) => {
    const categories = [...new Set(streams.map(({ type }) => type.category))].join(' ')
    const attributes = { 'db.system.name': 'postgresql', 'bahi.correlation_id': metadata.correlationId, 'bahi.streams': categories }
    return tracing.start(`append ${categories || 'nothing'}`, { parent: metadata.traceparent, attributes })
  })
  try {
    const answered = await execute(
      commands.map((command, at) => {
        const traceparent = spans[at]?.trace.traceparent
        return traceparent === undefined ? command : { ...command, metadata: { ...command.metadata, traceparent } }
      }),
    )
    answered.forEach(({ replayed }, at) => spans[at]?.set({ 'bahi.replayed': replayed }))
    for (const span of spans) span.end()
    return answered
  } catch (error) {
    for (const span of spans) span.end(error)
    throw error
  }
}
