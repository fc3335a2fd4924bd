import { StoreOverloaded, StoreUnavailable } from '#event-store'
import { classifyFailure } from '#postgres'

/** Whether what failed may succeed by waiting: then it lies in the store and not in what was asked of it. */
export const isPassing = (error: unknown): boolean =>
  error instanceof StoreUnavailable || error instanceof StoreOverloaded || classifyFailure(error) !== 'bug'
