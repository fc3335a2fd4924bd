import type { IncomingMessage } from '#kernel'
import { PartlyFailed, type BatchHandler, type Effect } from '../log.js'

export interface PerMessageOptions {
  /** Keys at once. */
  readonly concurrency: number
  /** A failure that ends the batch, which comes again: nothing is put aside for it. */
  readonly isTransient: (error: unknown) => boolean
}

/** A partition's last batch, and what of it was handled: its offset may not have been stored, and then it comes again. */
interface LastBatch {
  readonly from: bigint
  upTo: bigint
  readonly handled: Map<bigint, IncomingMessage>
}

/** What is handled has its effect where the handler left it. The offset alone is stored, so that only the batch that was under way can come again. */
const offsetAlone: Effect = () => Promise.resolve()

/**
 * Handles a batch message by message: in order within a key, different keys at once. The offset is stored after each batch. What was handled of
 * the batch that comes again is not handled again by this process; after a crash it may be: such a handler is at-least-once.
 */
export const perMessage = (handle: (message: IncomingMessage) => Promise<unknown>, options: PerMessageOptions): BatchHandler => {
  const last = new Map<number, LastBatch>()
  return async (messages, signal) => {
    const handled = handledOf(last, messages)
    const lanes = [...Map.groupBy(messages, ({ key }) => key).values()]
    const failures: { readonly message: IncomingMessage; readonly error: unknown }[] = []
    let passing: { readonly error: unknown } | undefined
    let next = 0
    const runLanes = async (): Promise<void> => {
      for (let lane = lanes[next++]; lane; lane = lanes[next++]) {
        for (const message of lane) {
          if (passing || signal?.aborted) return
          if (isSame(handled.get(message.offset), message)) continue
          try {
            await handle(message)
            handled.set(message.offset, message)
          } catch (error) {
            if (options.isTransient(error)) passing ??= { error }
            else failures.push({ message, error })
            break
          }
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(options.concurrency, lanes.length) }, runLanes))
    if (passing) throw passing.error
    signal?.throwIfAborted()
    if (failures.length > 0) throw new PartlyFailed(failures)
    return offsetAlone
  }
}

/** Of these messages' batch. A partition's next batch comes only when the one before it is stored; what was put aside long ago comes alone, between. */
const handledOf = (last: Map<number, LastBatch>, messages: readonly IncomingMessage[]): Map<bigint, IncomingMessage> => {
  const [first, newest] = [messages[0], messages.at(-1)]
  if (!first || !newest) return new Map()
  const before = last.get(first.partition)
  if (before && newest.offset < before.from) return new Map()
  if (before && first.offset <= before.upTo) {
    if (newest.offset > before.upTo) before.upTo = newest.offset
    return before.handled
  }
  const batch = { from: first.offset, upTo: newest.offset, handled: new Map<bigint, IncomingMessage>() }
  last.set(first.partition, batch)
  return batch.handled
}

/** A topic that was made anew counts its offsets anew. */
const isSame = (one: IncomingMessage | undefined, other: IncomingMessage): boolean => one?.id === other.id && one.time === other.time
