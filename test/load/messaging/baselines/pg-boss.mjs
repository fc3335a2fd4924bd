// pg-boss at its quickest: batches fetched one after another while they are full, and woken by NOTIFY instead of polling.
import { PgBoss } from 'pg-boss'

const QUEUE = 'bench'

export const openPgBoss = async (url) => {
  const boss = new PgBoss({ connectionString: url, max: 10, connectionTimeoutMillis: 60_000, useListenNotify: true, schedule: false })
  boss.on('error', (error) => console.error(error))
  await boss.start()
  await boss.createQueue(QUEUE, { partition: true, notify: true })
  // Polls too: a worker that is busy when the last NOTIFY comes does not look again because of it.
  const polling = { burstWhenBatchFull: true, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 }
  return {
    fill: (page) =>
      boss.insert(
        QUEUE,
        page.map((data) => ({ data })),
      ),
    send: (data) => boss.send(QUEUE, data),
    /** `effect` writes in the transaction that completes the batch. */
    async consume(onHandled, { backlog, effect }) {
      const handled = (jobs) => onHandled(jobs.map(({ data }) => data))
      const worker = { ...polling, batchSize: backlog ? 500 : 100, localConcurrency: backlog ? 4 : 2 }
      if (effect) {
        await boss.work(QUEUE, { ...worker, transactional: true }, async (jobs, tx) => {
          await effect(
            { query: ({ text, values }) => tx.executeSql(text, values) },
            jobs.map(({ data }) => data),
          )
          handled(jobs)
        })
      } else await boss.work(QUEUE, worker, async (jobs) => handled(jobs))
      return () => boss.offWork(QUEUE, { wait: true })
    },
    close: () => boss.stop({ graceful: true }),
  }
}
