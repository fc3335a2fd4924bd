import type { IncomingMessage } from '#kernel'
import { noEffect, PartlyFailed, type BatchHandler } from '../log.js'

export interface PerMessageOptions {
  /** Keys at once. */
  readonly concurrency: number
  /** A failure that ends the batch, which comes again: nothing is put aside for it. */
  readonly isTransient: (error: unknown) => boolean
}

const MOST_REMEMBERED = 100_000

/**
 * Handles a batch message by message: in order within a key, different keys at once. What was handled is not handled again when the batch
 * comes again, for as long as this process has the partition; after a crash it may be: such a handler is at-least-once.
 */
export const perMessage = (handle: (message: IncomingMessage) => Promise<unknown>, options: PerMessageOptions): BatchHandler => {
  const done = new Set<string>()
  return async (messages) => {
    const lanes = [...Map.groupBy(messages, ({ key }) => key).values()]
    const handled: IncomingMessage[] = []
    const failures: { readonly message: IncomingMessage; readonly error: unknown }[] = []
    let passing: { readonly error: unknown } | undefined
    let next = 0
    const runLanes = async (): Promise<void> => {
      for (let lane = lanes[next++]; lane; lane = lanes[next++]) {
        for (const message of lane) {
          if (passing) return
          if (done.size > 0 && done.has(placeOf(message))) continue
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
    if (passing) {
      // What was lost with its partition is never asked for again.
      if (done.size > MOST_REMEMBERED) done.clear()
      for (const message of handled) done.add(placeOf(message))
      throw passing.error
    }
    if (done.size > 0) for (const message of messages) done.delete(placeOf(message))
    if (failures.length > 0) throw new PartlyFailed(failures)
    return noEffect
  }
}

const placeOf = ({ partition, offset, id }: IncomingMessage): string => `${partition}/${offset}/${id}`
