import { createRequire } from 'node:module'

/** What is touched of kafkajs's own, which it does not export. */
interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

const PATH = 'kafkajs/src/network/requestQueue/index.js'
let done = false

/**
 * A request queue of kafkajs 2.2.4 with nothing to send looks again after a negative time-out, which is 1 ms, for as long as its connection
 * lives: a thousand wake-ups a second for each connection, and a warning from Node 24 on (kafkajs#1751). What is pushed later schedules
 * its own look, so with nothing pending there is nothing to schedule.
 */
export const quietRequestQueues = (): void => {
  if (done) return
  done = true
  const { prototype } = createRequire(import.meta.url)(PATH) as { readonly prototype: RequestQueue }
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
