// graphile-worker as its own performance test sets it up: jobs fetched into a local queue and completed in batches. For latency it is told
// of every job by NOTIFY and fetches it at once, without the local queue.
import { makeWorkerUtils, Logger, run } from 'graphile-worker'

const TASK = 'bench'
const QUIET = new Logger(() => () => {})

export const openGraphileWorker = async (url) => {
  const utils = await makeWorkerUtils({ connectionString: url, logger: QUIET })
  await utils.migrate()
  return {
    fill: (page) => utils.addJobs(page.map((payload) => ({ identifier: TASK, payload }))),
    send: (payload) => utils.addJob(TASK, payload),
    /** `effect` writes in a job of its own: a worker has no transaction in common with the job. */
    async consume(onHandled, { backlog, effect }) {
      const inBatches = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
      const runner = await run({
        preset: { worker: { connectionString: url, concurrentJobs: 24, maxPoolSize: 25, pollInterval: 2_000, ...(backlog && inBatches) } },
        noHandleSignals: true,
        logger: QUIET,
        taskList: {
          [TASK]: effect
            ? async (payload, { withPgClient }) => {
                await withPgClient((client) => effect(client, [payload]))
                onHandled([payload])
              }
            : async (payload) => onHandled([payload]),
        },
      })
      return () => runner.stop()
    },
    close: () => utils.release(),
  }
}
