import type { IncomingMessage } from '#kernel'
import { PartlyFailed, type BatchHandler, type Effect } from '../log.js'

export interface PerMessageOptions {
  /** Keys at once. */
  readonly concurrency: number
  /** A failure that ends the batch, which comes again: nothing is put aside for it. */
  readonly isTransient: (error: unknown) => boolean
}

/** Of a batch that failed: what was handled, by offset, up to its last message. */
interface Failed {
  readonly upTo: bigint
  readonly handled: Map<bigint, Pick<IncomingMessage, 'id' | 'time'>>
}

/** What is handled has its effect where the handler left it. The offset alone is stored, so that only the batch that was under way can come again. */
const offsetAlone: Effect = () => Promise.resolve()

/**
 * Handles a batch message by message: in order within a key, different keys at once. The offset is stored after each batch. Of a batch that
 * fails and comes again, for as long as this process has the partition, what was handled is not handled again; after a crash, or where the offset
 * could not be stored, it may be: such a handler is at-least-once.
 */
export const perMessage = (handle: (message: IncomingMessage) => Promise<unknown>, options: PerMessageOptions): BatchHandler => {
  /** By the signal of who has the partition. A message that was put aside comes alone and without one, and is not a batch that comes again. */
  const failed = new WeakMap<AbortSignal, Failed>()
  return async (messages, signal) => {
    const [first, newest] = [messages[0], messages.at(-1)]
    if (!first || !newest) return offsetAlone
    let before = signal && failed.get(signal)
    if (signal && before && first.offset > before.upTo) {
      // What failed was put aside, and that stored.
      failed.delete(signal)
      before = undefined
    }
    const lanes = [...Map.groupBy(messages, ({ key }) => key).values()]
    const handled: IncomingMessage[] = []
    const failures: { readonly message: IncomingMessage; readonly error: unknown }[] = []
    let passing: { readonly error: unknown } | undefined
    let next = 0
    const runLanes = async (): Promise<void> => {
      for (let lane = lanes[next++]; lane; lane = lanes[next++]) {
        for (const message of lane) {
          if (passing || signal?.aborted) return
          if (before && isSame(before.handled.get(message.offset), message)) continue
          try {
            await handle(message)
            handled.push(message)
          } catch (error) {
            if (options.isTransient(error)) passing ??= { error }
            else failures.push({ message, error })
            break
          }
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(options.concurrency, lanes.length) }, runLanes))
    if (passing || failures.length > 0) {
      if (signal) failed.set(signal, remembered(before, handled, newest.offset))
      throw passing ? passing.error : new PartlyFailed(failures)
    }
    signal?.throwIfAborted()
    if (signal && before && newest.offset >= before.upTo) failed.delete(signal)
    return offsetAlone
  }
}

const remembered = (before: Failed | undefined, messages: readonly IncomingMessage[], newest: bigint): Failed => {
  const { upTo, handled }: Failed = before ?? { upTo: newest, handled: new Map() }
  for (const { offset, id, time } of messages) handled.set(offset, { id, time })
  return { upTo: newest > upTo ? newest : upTo, handled }
}

/** A topic that was made anew counts its offsets anew. */
const isSame = (one: Pick<IncomingMessage, 'id' | 'time'> | undefined, other: IncomingMessage): boolean =>
  one?.id === other.id && one.time === other.time
